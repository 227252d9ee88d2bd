using AsrPlatform.Tests;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Tokens;

/// <summary>The fixtures' tokenizers, loaded once.</summary>
internal static class Tokenizers
{
    private static readonly Lazy<WhisperTokenizer> LazyMicro = new(() => WhisperTokenizer.Load(Fixtures.Path("micro")));
    private static readonly Lazy<WhisperTokenizer> LazyMicroSlow = new(LoadSlow);
    private static readonly Lazy<WhisperTokenizer> LazyV3 = new(() => WhisperTokenizer.Load(Fixtures.Path("tokenizer_v3")));

    /// <summary>The vocabulary of 51865 from tokenizer.json.</summary>
    public static WhisperTokenizer Micro => LazyMicro.Value;

    /// <summary>The same from vocab.json, merges.txt and added_tokens.json.</summary>
    public static WhisperTokenizer MicroSlow => LazyMicroSlow.Value;

    /// <summary>The vocabulary of 51866.</summary>
    public static WhisperTokenizer V3 => LazyV3.Value;

    private static WhisperTokenizer LoadSlow()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in new[] { "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json" })
        {
            File.Copy(Fixtures.Path("micro/" + file), folder.File(file));
        }

        return WhisperTokenizer.Load(folder.Root);
    }
}
