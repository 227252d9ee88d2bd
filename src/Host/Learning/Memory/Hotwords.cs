using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>Words and names that a user says will be said.</summary>
internal static class Hotwords
{
    /// <summary>Most of a session or a request.</summary>
    public const int Most = 200;

    /// <summary>Longest one, in characters.</summary>
    public const int Longest = 100;

    /// <summary>Checks what a client sent.</summary>
    /// <returns>Each once, without space around; null for none.</returns>
    /// <exception cref="AsrException">There are too many, or one is too long or holds no letter.</exception>
    public static IReadOnlyList<string>? Check(IReadOnlyList<string?>? words)
    {
        if (words is null or { Count: 0 })
        {
            return null;
        }

        if (words.Count > Most)
        {
            throw new AsrException($"{words.Count} hotwords were given; {Most} at most are allowed");
        }

        foreach (var word in words)
        {
            if (word is null || !word.Any(char.IsLetterOrDigit))
            {
                throw new AsrException("a hotword needs a letter or a digit");
            }

            if (word.Length > Longest)
            {
                throw new AsrException($"a hotword has at most {Longest} characters; one has {word.Length}");
            }
        }

        return [.. words.Select(word => word!.Trim()).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>The words of lists with commas.</summary>
    public static IReadOnlyList<string> Split(IEnumerable<string> lists) =>
        [.. lists.SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
}
