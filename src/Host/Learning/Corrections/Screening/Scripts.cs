using System.Text;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Families of letters that languages are told apart by.</summary>
internal enum Script
{
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Indic,
    Thai,
    Georgian,
    Kana,
    Hangul,
    Han,
    Other,
}

/// <summary>Which letters a text is written in, and which its language is.</summary>
internal static class Scripts
{
    /// <summary>Languages that are not written in Latin letters, by Whisper's codes; some are written in several.</summary>
    private static readonly (Script Script, string[] Languages)[] Languages =
    [
        (Script.Greek, ["el"]),
        (Script.Cyrillic, ["ru", "uk", "bg", "be", "mk", "sr", "kk", "mn", "tg", "tt", "ba", "bs", "uz", "az", "tk"]),
        (Script.Armenian, ["hy"]),
        (Script.Hebrew, ["he", "iw", "yi"]),
        (Script.Arabic, ["ar", "fa", "ur", "ps", "sd", "ms", "ha"]),
        (Script.Indic, ["hi", "mr", "ne", "sa", "bn", "as", "pa", "gu", "ta", "te", "kn", "ml", "si", "sd", "bo"]),
        (Script.Thai, ["th", "lo", "my", "km"]),
        (Script.Georgian, ["ka"]),
        (Script.Kana, ["ja"]),
        (Script.Hangul, ["ko"]),
        (Script.Han, ["zh", "yue", "ja", "ko"]),
    ];

    /// <summary>The script that most letters are of; Latin when there are none.</summary>
    public static Script Of(string text)
    {
        var counts = new int[Enum.GetValues<Script>().Length];
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsLetter(rune))
            {
                counts[(int)Of(rune.Value)]++;
            }
        }

        return (Script)Array.IndexOf(counts, counts.Max());
    }

    /// <summary>Whether a text can be of a language, as far as its letters tell. Latin letters fit all: every language writes names in them.</summary>
    /// <param name="text">The text.</param>
    /// <param name="language">The code; null: any.</param>
    public static bool Fits(string text, string? language)
    {
        var script = Of(text);
        if (language is null || script is Script.Latin or Script.Other)
        {
            return true;
        }

        var scripts = Languages.Where(entry => entry.Languages.Contains(language, StringComparer.Ordinal)).Select(entry => entry.Script).ToList();
        return scripts.Contains(script);
    }

    /// <summary>The script's name.</summary>
    public static string NameOf(Script script) => script == Script.Kana ? "Japanese" : script.ToString();

    private static Script Of(int rune) => rune switch
    {
        < 0x250 or (>= 0x1E00 and < 0x1F00) or (>= 0xFF21 and <= 0xFF5A) => Script.Latin,
        (>= 0x370 and < 0x400) or (>= 0x1F00 and < 0x2000) => Script.Greek,
        >= 0x400 and < 0x530 => Script.Cyrillic,
        >= 0x530 and < 0x590 => Script.Armenian,
        >= 0x590 and < 0x600 => Script.Hebrew,
        (>= 0x600 and < 0x780) or (>= 0x8A0 and < 0x900) or (>= 0xFB50 and < 0xFE00) or (>= 0xFE70 and < 0xFF00) => Script.Arabic,
        (>= 0x900 and < 0xE00) or (>= 0xF00 and < 0x1000) => Script.Indic,
        (>= 0xE00 and < 0xF00) or (>= 0x1000 and < 0x10A0) or (>= 0x1780 and < 0x1800) => Script.Thai,
        (>= 0x10A0 and < 0x1100) or (>= 0x2D00 and < 0x2D30) => Script.Georgian,
        (>= 0x3040 and < 0x3100) or (>= 0x31F0 and < 0x3200) => Script.Kana,
        (>= 0x1100 and < 0x1200) or (>= 0x3130 and < 0x3190) or (>= 0xAC00 and < 0xD7B0) => Script.Hangul,
        (>= 0x3400 and < 0xA000) or (>= 0xF900 and < 0xFB00) or (>= 0x20000 and < 0x40000) => Script.Han,
        _ => Script.Other,
    };
}
