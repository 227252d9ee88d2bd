namespace AsrPlatform.Host.Plugins;

/// <summary>Ends the loading of one plugin; becomes its <see cref="PluginStatus"/>.</summary>
internal sealed class PluginRejectedException(PluginState state, string reason, string? remedy = null, Exception? innerException = null)
    : Exception(reason, innerException)
{
    public PluginState State { get; } = state;

    public string? Remedy { get; } = remedy;
}
