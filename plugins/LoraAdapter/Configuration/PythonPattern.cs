using System.Text.RegularExpressions;
using AsrPlatform.Abstractions;

namespace AsrPlatform.LoraAdapter.Configuration;

/// <summary>Regular expressions of PEFT's configuration, which are Python's.</summary>
internal static class PythonPattern
{
    /// <summary>The group of <see cref="Layer"/> that holds the number.</summary>
    public const string LayerGroup = "asrLayer";

    // Module names are short; a pattern that takes longer is one that runs away.
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(2);

    /// <summary>Python's <c>re.fullmatch</c>.</summary>
    public static Regex Full(string pattern, string key) => Of($@"\A(?:{Translate(pattern)})\z", pattern, key);

    /// <summary>Whether a key of a pattern dictionary means a module: its whole name, or what follows one of its dots.</summary>
    public static Regex Ending(string pattern, string key) => Of($@"\A(?:.*\.)?(?:{Translate(pattern)})$", pattern, key);

    /// <summary>Python's <c>re.match</c> of a piece between dots that a number follows.</summary>
    public static Regex Layer(string? pattern, string key) =>
        Of($@"\A.*\.{(pattern is null ? "[^.]*" : Translate(pattern))}\.(?<{LayerGroup}>[0-9]+)\.", pattern ?? "", key);

    /// <summary>Whether a piece of a name, between dots, is this one.</summary>
    public static Regex Piece(string pattern, string key) => Of($@"\A(?:|.*\.){Translate(pattern)}(?:$|\.)", pattern, key);

    /// <summary>Matches.</summary>
    /// <exception cref="AsrException">It takes too long.</exception>
    public static bool Matches(Regex pattern, string name) => Match(pattern, name).Success;

    /// <summary>Matches.</summary>
    /// <exception cref="AsrException">It takes too long.</exception>
    public static Match Match(Regex pattern, string name)
    {
        try
        {
            return pattern.Match(name);
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new AsrException($"The pattern {pattern} takes too long on the module name {name}: make it simpler.", error);
        }
    }

    // The two dialects differ in how groups are named.
    private static string Translate(string pattern) =>
        pattern.Replace("(?P<", "(?<", StringComparison.Ordinal).Replace(@"\Z", @"\z", StringComparison.Ordinal);

    private static Regex Of(string pattern, string original, string key)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, TimeLimit);
        }
        catch (ArgumentException error)
        {
            throw new AsrException($"{key}: {original} is no regular expression: {error.Message}", error);
        }
    }
}
