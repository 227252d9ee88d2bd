using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class HuggingFaceDecoderTests
{
    [Fact]
    public void Decode_WordTimestamps_GivesTransformersWords()
    {
        using var micro = new Micro();
        foreach (var row in Fixtures.Lines("decode/word_times_hf.jsonl"))
        {
            var clip = row["audio"]!.GetValue<string>();
            var words = micro.Decode(clip, HuggingFaceDecoder.Defaults with { WordTimestamps = true }).Segments.SelectMany(segment => segment.Words!).ToArray();
            var expected = row["words"]!.AsArray();
            Assert.Equal(expected.Select(word => word!["text"]!.GetValue<string>()), words.Select(word => word.Word));
            for (var i = 0; i < words.Length; i++)
            {
                Assert.Equal(expected[i]!["timestamp"]![0]!.GetValue<double>(), words[i].Start, 0.0201);
                Assert.Equal(expected[i]!["timestamp"]![1]!.GetValue<double>(), words[i].End, 0.0201);
                Assert.InRange(words[i].Probability, 0.5, 1.0);
            }
        }
    }

    [Fact]
    public void Decode_ShortClip_GivesTextLanguageAndSegment()
    {
        using var micro = new Micro();
        foreach (var withoutTimestamps in (bool[])[false, true])
        {
            var result = micro.Decode("de", HuggingFaceDecoder.Defaults with { WithoutTimestamps = withoutTimestamps });
            Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", result.Text);
            Assert.Equal("de", result.Language);
            var segment = Assert.Single(result.Segments);
            Assert.Equal(result.Text, segment.Text);
            Assert.Equal(withoutTimestamps ? 42833 : 50364, segment.Tokens[0]);
            Assert.InRange(segment.End, 2.5, result.DurationSeconds + 0.02);
            Assert.True(segment.AverageLogProbability > -0.1);
        }
    }

    [Fact]
    public void Decode_LongAudio_ReportsEachWindow()
    {
        using var micro = new Micro();
        var reports = new List<TranscriptionProgress>();
        var result = micro.Decode("long_gap", HuggingFaceDecoder.Defaults with { Language = "en", WordTimestamps = true }, reports.Add);
        var expected = Fixtures.Lines("decode/long.jsonl")
            .First(row => row["case"]!.GetValue<string>() == "sequential" && row["audio"]!.GetValue<string>() == "long_gap")["segments"]!.AsArray();
        Assert.Equal(expected.Select(segment => segment!["text"]!.GetValue<string>()), result.Segments.Select(segment => segment.Text));
        Assert.Equal(expected.Select(segment => segment!["start"]!.GetValue<double>()), result.Segments.Select(segment => Math.Round(segment.Start, 2)));
        Assert.Equal(Enumerable.Range(0, result.Segments.Count), result.Segments.Select(segment => segment.Id));
        Assert.Equal(result.Segments, reports.SelectMany(report => report.Segments));
        Assert.Equal(result.DurationSeconds, reports[^1].DoneSeconds, 0.011);
        Assert.True(reports.Count > 1 && reports.Zip(reports.Skip(1)).All(pair => pair.First.DoneSeconds <= pair.Second.DoneSeconds));
        Assert.All(result.Segments, segment => Assert.All(segment.Words!, word => Assert.True(word.Start >= segment.Seek / 100.0 && word.End >= word.Start)));
    }

    [Fact]
    public void Decode_LongAudioOfUnknownLength_EqualsKnown()
    {
        using var micro = new Micro();
        var samples = WavFixture.Read("audio/long_gap.wav").AsMemory(0, 35 * 16000);
        var options = HuggingFaceDecoder.Defaults with { Language = "en" };
        var known = micro.Decode(new MemoryAudioSource(samples, 16000), options);
        var unknown = micro.Decode(new UnknownLength(new MemoryAudioSource(samples, 16000)), options);
        Assert.Equal(known.Segments.SelectMany(segment => segment.Tokens), unknown.Segments.SelectMany(segment => segment.Tokens));
        Assert.Equal(35, unknown.DurationSeconds);
    }

    [Fact]
    public void Decode_OneSample_Works()
    {
        using var micro = new Micro();
        Assert.Equal(1 / 16000.0, micro.Decode(new MemoryAudioSource(new float[1], 16000), HuggingFaceDecoder.Defaults with { MaxNewTokens = 8 }).DurationSeconds);
    }

    [Fact]
    public void Decode_InitialPrompt_PrecedesTheTranscript()
    {
        using var micro = new Micro();
        var prefixes = new List<IReadOnlyList<int>>();
        _ = micro.Generator.Generate(
            [micro.Padded("fox")],
            new GenerationOptions { Languages = ["en"], PromptIds = micro.Tokenizer.EncodePrompt("The quick brown fox."), MaxNewTokens = 4 },
            (_, window) => prefixes.Add(window.Prefix));
        Assert.Equal([50361, 440, 1702, 6292, 21026, 13, 50258, 50259, 50359, 50363], prefixes[0]);
    }

    [Fact]
    public void Decode_WhatTransformersLacks_IsRefused()
    {
        using var micro = new Micro();
        var defaults = HuggingFaceDecoder.Defaults;
        Assert.Contains("--best-of", Error(() => micro.Decode("fox", defaults with { BestOf = 5 })), StringComparison.Ordinal);
        Assert.Contains("--without-timestamps", Error(() => micro.Decode("long_gap", defaults with { WithoutTimestamps = true })), StringComparison.Ordinal);
        Assert.Contains("klingon", Error(() => micro.Decode("fox", defaults with { Language = "klingon" })), StringComparison.Ordinal);
        Assert.Contains("448", Error(() => micro.Decode("fox", defaults with { MaxNewTokens = 446 })), StringComparison.Ordinal);
        Assert.Contains("no samples", Error(() => micro.Decode(new MemoryAudioSource(Array.Empty<float>(), 16000), defaults)), StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_Cancelled_Stops()
    {
        using var micro = new Micro();
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(
            () => micro.Decode("long_gap", HuggingFaceDecoder.Defaults with { Language = "en" }, _ => source.Cancel(), source.Token));
    }

    private static string Error(Action action) => Assert.Throws<AsrException>(action).Message;

    private sealed class UnknownLength(IAudioSource inner) : IAudioSource
    {
        public int SampleRateHz => inner.SampleRateHz;

        public long? LengthSamples => null;

        public IAudioReader OpenReader() => inner.OpenReader();
    }
}
