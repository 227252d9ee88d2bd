namespace AsrPlatform.Host.Plugins;

/// <summary>What the plugin host writes to the log.</summary>
internal static partial class PluginLog
{
    public static void Status(ILogger logger, PluginStatus status)
    {
        switch (status.State)
        {
            case PluginState.Loaded:
                Loaded(logger, status.Id, status.Version, status.Directory);
                break;
            case PluginState.Disabled:
                Disabled(logger, status.Id, status.Reason);
                break;
            default:
                NotLoaded(logger, status.Id, status.State, status.Reason, status.Remedy ?? "none known");
                break;
        }
    }

    [LoggerMessage(EventId = 100, Level = LogLevel.Information, Message = "Plugin {Id} {Version} loaded from {Directory}")]
    private static partial void Loaded(ILogger logger, string id, string? version, string directory);

    [LoggerMessage(EventId = 101, Level = LogLevel.Information, Message = "Plugin {Id} is not loaded: {Reason}")]
    private static partial void Disabled(ILogger logger, string id, string? reason);

    [LoggerMessage(EventId = 102, Level = LogLevel.Warning, Message = "Plugin {Id} is {State}: {Reason} (remedy: {Remedy})")]
    private static partial void NotLoaded(ILogger logger, string id, PluginState state, string? reason, string remedy);

    [LoggerMessage(EventId = 103, Level = LogLevel.Warning, Message = "A plugin's services did not end cleanly")]
    public static partial void DisposeFailed(ILogger logger, Exception error);
}
