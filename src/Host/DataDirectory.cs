using AsrPlatform.Abstractions;

namespace AsrPlatform.Host;

/// <summary>The folder that holds what the platform keeps: models, adapters, corrections.</summary>
internal static class DataDirectory
{
    /// <summary>The folder for a command line's <c>--data-dir</c>: that, else ASR_DATA_DIR, else <c>asrplatform</c> in the user's data folder. Not created here.</summary>
    public static string Resolve(string? given)
    {
        if ((given ?? Environment.GetEnvironmentVariable("ASR_DATA_DIR")) is { Length: > 0 } chosen)
        {
            return Path.GetFullPath(chosen);
        }

        var home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return home.Length > 0
            ? Path.Combine(home, "asrplatform")
            : throw new AsrException("this user has no home folder: say with --data-dir where models and corrections are kept");
    }

    /// <summary>Where <c>models pull</c> puts checkpoints.</summary>
    public static string Models(string dataDirectory) => Path.Combine(dataDirectory, "models");

    /// <summary>Where adapters lie, a PEFT folder each.</summary>
    public static string Adapters(string dataDirectory) => Path.Combine(dataDirectory, "adapters");
}
