using System.Collections.Frozen;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>Whisper's hundred languages: codes as in its tokens (<c>&lt;|en|&gt;</c>) and English names. Immutable.</summary>
public static class WhisperLanguages
{
    /// <summary>Code and English name in lower case, in the order of the tokens; <c>yue</c> is in the vocabulary since large-v3.</summary>
    public static IReadOnlyList<(string Code, string Name)> All { get; } =
    [
        ("en", "english"), ("zh", "chinese"), ("de", "german"), ("es", "spanish"), ("ru", "russian"), ("ko", "korean"), ("fr", "french"),
        ("ja", "japanese"), ("pt", "portuguese"), ("tr", "turkish"), ("pl", "polish"), ("ca", "catalan"), ("nl", "dutch"), ("ar", "arabic"),
        ("sv", "swedish"), ("it", "italian"), ("id", "indonesian"), ("hi", "hindi"), ("fi", "finnish"), ("vi", "vietnamese"),
        ("he", "hebrew"), ("uk", "ukrainian"), ("el", "greek"), ("ms", "malay"), ("cs", "czech"), ("ro", "romanian"), ("da", "danish"),
        ("hu", "hungarian"), ("ta", "tamil"), ("no", "norwegian"), ("th", "thai"), ("ur", "urdu"), ("hr", "croatian"), ("bg", "bulgarian"),
        ("lt", "lithuanian"), ("la", "latin"), ("mi", "maori"), ("ml", "malayalam"), ("cy", "welsh"), ("sk", "slovak"), ("te", "telugu"),
        ("fa", "persian"), ("lv", "latvian"), ("bn", "bengali"), ("sr", "serbian"), ("az", "azerbaijani"), ("sl", "slovenian"),
        ("kn", "kannada"), ("et", "estonian"), ("mk", "macedonian"), ("br", "breton"), ("eu", "basque"), ("is", "icelandic"),
        ("hy", "armenian"), ("ne", "nepali"), ("mn", "mongolian"), ("bs", "bosnian"), ("kk", "kazakh"), ("sq", "albanian"), ("sw", "swahili"),
        ("gl", "galician"), ("mr", "marathi"), ("pa", "punjabi"), ("si", "sinhala"), ("km", "khmer"), ("sn", "shona"), ("yo", "yoruba"),
        ("so", "somali"), ("af", "afrikaans"), ("oc", "occitan"), ("ka", "georgian"), ("be", "belarusian"), ("tg", "tajik"), ("sd", "sindhi"),
        ("gu", "gujarati"), ("am", "amharic"), ("yi", "yiddish"), ("lo", "lao"), ("uz", "uzbek"), ("fo", "faroese"), ("ht", "haitian creole"),
        ("ps", "pashto"), ("tk", "turkmen"), ("nn", "nynorsk"), ("mt", "maltese"), ("sa", "sanskrit"), ("lb", "luxembourgish"),
        ("my", "myanmar"), ("bo", "tibetan"), ("tl", "tagalog"), ("mg", "malagasy"), ("as", "assamese"), ("tt", "tatar"), ("haw", "hawaiian"),
        ("ln", "lingala"), ("ha", "hausa"), ("ba", "bashkir"), ("jw", "javanese"), ("su", "sundanese"), ("yue", "cantonese"),
    ];

    private static readonly FrozenDictionary<string, string> Codes = All
        .SelectMany(language => new[] { (Key: language.Code, language.Code), (Key: language.Name, language.Code) })
        .Concat(
        [
            ("burmese", "my"), ("valencian", "ca"), ("flemish", "nl"), ("haitian", "ht"), ("letzeburgesch", "lb"), ("pushto", "ps"),
            ("panjabi", "pa"), ("moldavian", "ro"), ("moldovan", "ro"), ("sinhalese", "si"), ("castilian", "es"), ("mandarin", "zh"),
            // The present ISO 639-1 codes where Whisper's token has another, and the other way round.
            ("iw", "he"), ("jv", "jw"), ("nb", "no"),
        ])
        .ToFrozenDictionary(pair => pair.Item1, pair => pair.Item2, StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, string> Names =
        All.ToFrozenDictionary(language => language.Code, language => language.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds the code of a code or name in any case, such as <c>en</c>, <c>English</c>, <c>Castilian</c>; null when it is unknown.</summary>
    public static string? FindCode(string codeOrName)
    {
        ArgumentNullException.ThrowIfNull(codeOrName);
        return Codes.GetValueOrDefault(codeOrName.Trim());
    }

    /// <summary>The code of a code or name in any case.</summary>
    /// <exception cref="AsrException">It is no language of Whisper's.</exception>
    public static string GetCode(string codeOrName) => FindCode(codeOrName) ?? throw new AsrException(
        $"Unknown language '{codeOrName}': give a code such as en or a name such as english.");

    /// <summary>The English name of a code, in lower case; null when it is unknown.</summary>
    public static string? FindName(string code) => Names.GetValueOrDefault(code);
}
