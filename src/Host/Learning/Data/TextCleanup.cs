using System.Globalization;
using System.Text;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>What is done to every text of a manifest, whatever else a run normalises.</summary>
internal static class TextCleanup
{
    /// <summary>
    /// Makes every run of white space one space, strips the ends, and takes out what nobody sees: control characters, byte order marks and
    /// zero-width spaces. Letters, punctuation and joiners (which some scripts and emoji need) stay as they are.
    /// </summary>
    public static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        var pendingSpace = false;
        foreach (var character in text)
        {
            if (char.IsWhiteSpace(character))
            {
                pendingSpace = true;
            }
            else if (!IsInvisible(character))
            {
                if (pendingSpace && clean.Length > 0)
                {
                    clean.Append(' ');
                }

                pendingSpace = false;
                clean.Append(character);
            }
        }

        return clean.ToString();
    }

    private static bool IsInvisible(char character) =>
        character is '\uFEFF' or '\u200B' || char.GetUnicodeCategory(character) == UnicodeCategory.Control;
}
