using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Tests.Decoding;
using AsrPlatform.Whisper.Tests.Decoding.OpenAi;

namespace AsrPlatform.Whisper.Tests;

public sealed class WhisperRecognizerTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    public static TheoryData<TranscriptionOptions, string> BadOptions => new()
    {
        { new() { Algorithm = "magic" }, "\"magic\": this model has openai" },
        { new() { Language = "germn" }, "de (german)" },
        { new() { Language = "xx" }, "give one of the model's 99" },
        { new() { BeamSize = 5, Temperature = 0.4 }, "temperature 0" },
        { new() { BeamSize = 0 }, "beam size is 0" },
        { new() { Patience = 2 }, "give a beam size" },
        { new() { Temperature = 1.5 }, "temperature is 1.5" },
        { new() { Temperature = double.NaN }, "temperature is NaN" },
        { new() { TemperatureIncrementOnFallback = 0 }, "increment" },
        { new() { BestOf = 0 }, "Best-of" },
        { new() { LengthPenalty = 2 }, "length penalty is 2" },
        { new() { SuppressTokens = [-1, 51865] }, "token 51865" },
        { new() { MaxNewTokens = 0 }, "new tokens" },
        { new() { LogProbabilityThreshold = double.NaN }, "none" },
        { new() { ClipTimestamps = [5, 2] }, "ascending" },
        { new() { Algorithm = "hf", ClipTimestamps = [1], Language = "en" }, "clip timestamps" },
        { new() { InitialPrompt = "a <|endoftext|> b", Language = "en" }, "<|endoftext|>" },
    };

    [Theory]
    [MemberData(nameof(BadOptions), DisableDiscoveryEnumeration = true)]
    public void Transcribe_BadOption_SaysWhatIsWrong(TranscriptionOptions options, string expected)
    {
        var error = Assert.Throws<AsrException>(() => micro.Recognizer.Transcribe(MicroRecognizer.Audio("fox"), options));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("de")]
    [InlineData("DE")]
    [InlineData("German")]
    public void Transcribe_LanguageByCodeOrName_IsUnderstood(string language)
    {
        var result = micro.Recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions { Language = language });

        Assert.Equal("de", result.Language);
        Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", result.Text);
    }

    [Fact]
    public void Transcribe_WordTimestampsWithoutAlignment_SaysWhatIsMissing()
    {
        using var model = new ScriptedModel(micro.Parts.Model.Info with { SupportsAlignment = false }, (_, _) => []);
        using var recognizer = micro.With(model);

        var error = Assert.Throws<AsrException>(() =>
            recognizer.Transcribe(MicroRecognizer.Audio("fox"), new TranscriptionOptions { WordTimestamps = true }));

        Assert.Contains("scripted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_OtherSampleRate_SaysBothRates()
    {
        var error = Assert.Throws<AsrException>(() =>
            micro.Recognizer.Transcribe(new MemoryAudioSource(new float[8000], 8000), new TranscriptionOptions()));

        Assert.Contains("8000", error.Message, StringComparison.Ordinal);
        Assert.Contains("16000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_Micro_NamesFolderBackendAndLanguages()
    {
        Assert.Equal("micro", micro.Recognizer.Info.Name);
        Assert.Equal("reference (cpu)", micro.Recognizer.Info.Backend);
        Assert.Equal(16000, micro.Recognizer.Info.SampleRateHz);
        Assert.Equal(99, micro.Recognizer.Info.Languages.Count);
    }

    [Fact]
    public void Load_NoFolder_SaysHowToNameOne()
    {
        var error = Assert.Throws<AsrException>(() => WhisperRecognizer.Load(new ReferenceBackend(), new ModelLoadOptions()));

        Assert.Contains("--model", error.Message, StringComparison.Ordinal);
    }
}
