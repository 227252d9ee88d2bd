namespace AsrPlatform.Host.Plugins;

/// <summary>Makes a reason of an exception's message.</summary>
internal static class OneLine
{
    /// <summary>The text with its line ends folded into spaces.</summary>
    public static string Of(string text) =>
        string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
