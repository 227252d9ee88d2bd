using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Tokens;
using FsCheck;
using FsCheck.Fluent;

namespace AsrPlatform.Whisper.Tests.Tokens;

public class TokenizerTests
{
    [Fact]
    public void Decode_OfEncoded_IsTheTextForAnyText()
    {
        // Timestamps alone do not come back: decoded text never has any.
        Prop.ForAll(ValidText(), text =>
        {
            var ids = Tokenizers.Micro.EncodePlain(text);
            return Tokenizers.Micro.DecodeWithTimestamps(ids) == text && ids.All(id => id < Tokenizers.Micro.EndOfText);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Decode_AnyIds_NeverThrows()
    {
        var ids = Gen.Choose(-5, 52_000).ArrayOf().ToArbitrary();
        Prop.ForAll(ids, sequence =>
        {
            var text = Tokenizers.Micro.Decode(sequence);
            var words = Tokenizers.Micro.SplitToWords(sequence, "en").Words;
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetByteCount(text) >= 0 && words.Length <= sequence.Length;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Utf8TokenStream_AnyIds_GivesTheSameAsAllAtOnce()
    {
        var ids = Gen.Choose(0, 50_362).ArrayOf().ToArbitrary();
        Prop.ForAll(ids, sequence =>
        {
            var stream = new Utf8TokenStream(Tokenizers.Micro, skipSpecialTokens: false);
            var parts = sequence.Select(stream.Append).ToList();
            parts.Add(stream.Flush());
            return string.Concat(parts) == Tokenizers.Micro.Decode(sequence, skipSpecialTokens: false);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Utf8TokenStream_CharacterOfSeveralTokens_IsHeldBackUntilComplete()
    {
        var ids = Tokenizers.Micro.Encode("🦆");
        Assert.True(ids.Length > 1);
        var stream = new Utf8TokenStream(Tokenizers.Micro);
        var parts = ids.Select(stream.Append).ToArray();
        Assert.All(parts[..^1], part => Assert.Equal("", part));
        Assert.Equal("🦆", parts[^1]);
        Assert.Equal("", stream.Flush());
        Assert.Equal("", stream.Append(ids[0]));
        Assert.Equal("\uFFFD", stream.Flush());
    }

    [Fact]
    public void Encode_LoneSurrogate_BecomesTheReplacementCharacter() =>
        Assert.Equal("a\uFFFDb", Tokenizers.Micro.Decode(Tokenizers.Micro.Encode("a\uD83Db")));

    [Fact]
    public void Encode_OneVeryLongWord_TakesTimeInProportion()
    {
        // A quadratic merge would need hours for this one.
        var text = new string('a', 500_000);
        Assert.Equal(text, Tokenizers.Micro.Decode(Tokenizers.Micro.Encode(text)));
    }

    [Fact]
    public void Encode_FromManyThreads_GivesTheSame()
    {
        var texts = Enumerable.Range(0, 2000).Select(index => $"Sentence {index} of the corpus, übrigens {index * 7919}.").ToArray();
        var expected = texts.Select(text => string.Join(' ', Tokenizers.MicroSlow.Encode(text))).ToArray();
        Assert.Equal(expected, texts.AsParallel().AsOrdered().Select(text => string.Join(' ', Tokenizers.Micro.Encode(text))));
    }

    [Fact]
    public void Decode_PromptBeforeTranscript_IsLeftOutWithSpecialTokens()
    {
        int[] ids = [.. Tokenizers.Micro.EncodePrompt("glossary"), .. Tokenizers.Micro.EncodeLabels(" Hi", "en", TranscriptionTask.Transcribe, false)];
        Assert.Equal(" Hi", Tokenizers.Micro.Decode(ids));
        Assert.Equal("", Tokenizers.Micro.Decode(Tokenizers.Micro.EncodePrompt("glossary")));
        Assert.StartsWith("<|startofprev|> glossary<|startoftranscript|>", Tokenizers.Micro.Decode(ids, skipSpecialTokens: false), StringComparison.Ordinal);
    }

    [Fact]
    public void EncodePrompt_SpecialToken_IsRefused()
    {
        var error = Assert.Throws<AsrException>(() => Tokenizers.Micro.EncodePrompt("a <|endoftext|> b"));
        Assert.Contains("<|endoftext|>", error.Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => Tokenizers.Micro.EncodePrompt("<|1.00|>"));
    }

    [Theory]
    [InlineData("en", "en")]
    [InlineData("English", "en")]
    [InlineData(" GERMAN ", "de")]
    [InlineData("castilian", "es")]
    [InlineData("Haitian Creole", "ht")]
    [InlineData("haw", "haw")]
    [InlineData("jv", "jw")]
    public void LanguageId_CodeOrName_IsFound(string given, string code)
    {
        Assert.Equal(Tokenizers.Micro.TokenToId($"<|{code}|>"), Tokenizers.Micro.LanguageId(given));
        Assert.Equal(code, Tokenizers.Micro.LanguageCode(Tokenizers.Micro.LanguageId(given)));
    }

    [Fact]
    public void LanguageId_Unknown_SaysWhatToGive()
    {
        Assert.Contains("'klingon'", Assert.Throws<AsrException>(() => Tokenizers.Micro.LanguageId("klingon")).Message, StringComparison.Ordinal);
        Assert.Contains("does not know", Assert.Throws<AsrException>(() => Tokenizers.Micro.LanguageId("yue")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhisperLanguages_All_HaveOneCodeAndNameEach()
    {
        Assert.Equal(100, WhisperLanguages.All.Count);
        Assert.Equal(100, WhisperLanguages.All.Select(language => language.Code).Distinct().Count());
        Assert.All(WhisperLanguages.All, language =>
        {
            Assert.Equal(language.Code, WhisperLanguages.FindCode(language.Name));
            Assert.Equal(language.Name, WhisperLanguages.FindName(language.Code));
        });
        Assert.Null(WhisperLanguages.FindCode("xx"));
    }

    private static Arbitrary<string> ValidText()
    {
        // All scripts, and often what the rules of splitting are about.
        var rune = Gen.Frequency(
            (4, Gen.Elements(" ", "\n", "\t", "'", "'s", "'re", "\u00A0", "\u3000", "\u200B", "\r\n", "<|", "|>", "<|en|>")),
            (4, Gen.Choose(0x20, 0x7E).Select(value => ((char)value).ToString())),
            (2, Gen.Choose(0, 0xFFFF).Where(value => !char.IsSurrogate((char)value)).Select(value => ((char)value).ToString())),
            (1, Gen.Choose(0x10000, 0x10FFFF).Select(char.ConvertFromUtf32)));
        return rune.ArrayOf().Select(string.Concat).ToArbitrary();
    }
}
