namespace AsrPlatform.TestPlugins.TestBinding;

/// <summary>Stands for an engine's binding: state that must exist once in a process.</summary>
public static class Engine
{
    private static int _users;

    /// <summary>Counts the plugins that use this copy.</summary>
    public static int Register() => Interlocked.Increment(ref _users);
}
