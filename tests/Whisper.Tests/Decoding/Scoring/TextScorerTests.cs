using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Whisper.Tests.Decoding.Scoring;

public sealed class TextScorerTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private const string Heard = "The quick brown fox jumps over the lazy dog.";
    private static readonly Lazy<float[]> Fox = new(() => WavFixture.Read("audio/fox.wav"));
    private static readonly Lazy<float[]> Jfk = new(() => WavFixture.Read("audio/jfk.wav")[..(3 * 16000)]);

    [Fact]
    public void Score_AText_IsTheSumOfWhatTheDecoderGivesForItsTokens()
    {
        var score = Assert.Single(Score(new ScoreRequest(Fox.Value, Heard, "en")));

        // The model writes a space first: that spelling counts.
        Assert.Equal(Forced(Fox.Value, " " + Heard, "en"), score.LogProbability, 1e-4);
        Assert.True(score.LogProbability > Forced(Fox.Value, Heard, "en"));
        Assert.Equal(micro.Parts.Tokenizer.Encode(" " + Heard).Length + 1, score.Tokens);
        Assert.Equal(score.LogProbability / score.Tokens, score.AverageLogProbability, 1e-12);
    }

    [Fact]
    public void Score_AText_GivesItsWordsAndTheirSum()
    {
        var score = Assert.Single(Score(new ScoreRequest(Fox.Value, Heard, "en")));
        Assert.Equal(Heard.Split(' '), score.Words.Select(word => word.Word));
        Assert.Equal(score.Tokens - 1, score.Words.Sum(word => word.Tokens));
        Assert.All(score.Words, word => Assert.True(word.LogProbability <= 0));
        Assert.Equal(score.LogProbability, score.Words.Sum(word => word.LogProbability) + score.EndLogProbability, 1e-9);

        // The part of a word is what its tokens add.
        var logits = Logits(Fox.Value, " " + Heard, "en", out var prefix, out var tokens);
        Assert.Equal(OfToken(logits[prefix - 1], tokens[prefix]), score.Words[0].LogProbability, 1e-4);
    }

    [Fact]
    public void Score_WhatWasSaid_IsLikelierThanWhatWasNot()
    {
        var scores = Score(
            new ScoreRequest(Fox.Value, Heard, "en"),
            new ScoreRequest(Fox.Value, "Ask not what your country can do for you.", "en"),
            new ScoreRequest(Fox.Value, "", "en"));
        Assert.True(scores[0].AverageLogProbability > scores[1].AverageLogProbability + 1);
        Assert.True(scores[0].LogProbability > scores[2].LogProbability);
        Assert.Equal(1, scores[2].Tokens);
        Assert.Empty(scores[2].Words);
        Assert.Equal(scores[2].LogProbability, scores[2].EndLogProbability);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Score_SeveralTextsAndClips_IsWhatEachAloneGets(bool isDynamic)
    {
        var parts = With(micro.Parts.Model, isDynamic);
        ScoreRequest[] requests =
        [
            new(Fox.Value, Heard, "en"),
            new(Jfk.Value, "And so my fellow Americans", null),
            new(Fox.Value, "The quick brown socks", "en"),
            new(Jfk.Value.AsMemory(0, 16000), "and so", "en"),
            new(Fox.Value, "Le renard", null),
            new(Jfk.Value, "", "de"),
        ];
        var together = new TextScorer(parts).Score(requests, TestContext.Current.CancellationToken);
        Assert.All(requests.Index(), pair =>
        {
            var alone = Assert.Single(new TextScorer(parts).Score([pair.Item], TestContext.Current.CancellationToken));
            Assert.Equal(alone.LogProbability, together[pair.Index].LogProbability, 1e-4);
            Assert.Equal(alone.Tokens, together[pair.Index].Tokens);
            Assert.Equal(alone.Words.Select(word => word.Word), together[pair.Index].Words.Select(word => word.Word));
        });
    }

    [Fact]
    public void Score_WithoutALanguage_TakesTheOneThatIsHeard()
    {
        var scores = Score(new ScoreRequest(Fox.Value, Heard, null), new ScoreRequest(Fox.Value, Heard, "en"), new ScoreRequest(Fox.Value, Heard, "de"));
        Assert.Equal(scores[1].LogProbability, scores[0].LogProbability, 1e-4);
        Assert.NotEqual(scores[2].LogProbability, scores[0].LogProbability, 1e-2);
    }

    [Fact]
    public void Score_EqualAudio_IsEncodedOncePerAdapter()
    {
        using var model = new TwoAdapters(micro.Parts.Model);
        var clip = Fox.Value.AsMemory(0, 16000);
        ScoreRequest[] requests =
        [
            new(clip, "one", "en", Adapter: 1), new(clip, "two", "en"), new(clip, "three", "en", Adapter: 1), new(clip, "four", "en"), new(clip, "one", "en"),
        ];
        var scores = new TextScorer(With(model, isDynamic: true)).Score(requests, TestContext.Current.CancellationToken);
        Assert.Equal([IMultiAdapterModel.NoAdapter, 1], Assert.Single(model.Encoded));
        Assert.NotEqual(scores[0].LogProbability, scores[4].LogProbability, 1e-3);

        // An adapter's rows alone give the same.
        var alone = new TextScorer(With(model, isDynamic: true)).Score([requests[2]], TestContext.Current.CancellationToken);
        Assert.Equal(alone[0].LogProbability, scores[2].LogProbability, 1e-4);
    }

    [Fact]
    public void Score_ADynamicCheckpoint_EncodesNoMoreThanTheSpeech()
    {
        using var model = new TwoAdapters(micro.Parts.Model);
        new TextScorer(With(model, isDynamic: true)).Score([new ScoreRequest(Fox.Value.AsMemory(0, 20_000), "the", "en")], TestContext.Current.CancellationToken);
        new TextScorer(With(model, isDynamic: false)).Score([new ScoreRequest(Fox.Value.AsMemory(0, 20_000), "the", "en")], TestContext.Current.CancellationToken);
        Assert.Equal([200, 3000], model.Frames);
    }

    [Fact]
    public void Score_WhatTheModelCannotHold_IsRefusedBeforeItWorks()
    {
        using var model = new TwoAdapters(micro.Parts.Model);
        var scorer = new TextScorer(With(model, isDynamic: false));
        var fox = Fox.Value;
        var error = Assert.Throws<AsrException>(() => scorer.Score([new(fox, "fox", "en"), new(fox, string.Join(' ', Enumerable.Repeat("fox", 445)), "en")], default));
        Assert.Contains("445 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("444", error.Message, StringComparison.Ordinal);
        Assert.Contains("30.1 s", Assert.Throws<AsrException>(() => scorer.Score([new(new float[481_600], "fox", "en")], default)).Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => scorer.Score([new(ReadOnlyMemory<float>.Empty, "fox", "en")], default));
        Assert.Throws<AsrException>(() => scorer.Score([new(fox, "fox", "klingon")], default));
        Assert.Empty(model.Encoded);
        Assert.Throws<AsrException>(() => Score(new ScoreRequest(fox, "fox", "en", Adapter: 1)));
    }

    private IReadOnlyList<TextScore> Score(params ScoreRequest[] requests) => new TextScorer(micro.Parts).Score(requests, TestContext.Current.CancellationToken);

    private WhisperDecoderInput With(ISeq2SeqModel model, bool isDynamic) =>
        new(model, micro.Parts.Features, micro.Parts.Tokenizer, micro.Parts.Config, micro.Parts.Generation with { HasDynamicContext = isDynamic });

    /// <summary>The sum over the text's tokens and the end, token by token and in plain arithmetic.</summary>
    private double Forced(float[] samples, string text, string language)
    {
        var logits = Logits(samples, text, language, out var prefix, out var tokens);
        return Enumerable.Range(prefix, tokens.Length - prefix).Sum(i => OfToken(logits[i - 1], tokens[i]));
    }

    private float[][] Logits(float[] samples, string text, string language, out int prefix, out int[] tokens)
    {
        var parts = micro.Parts;
        var start = parts.Tokenizer.Prefix(language, AsrPlatform.Abstractions.Decoding.TranscriptionTask.Transcribe, timestamps: false);
        tokens = [.. start, .. parts.Tokenizer.Encode(text), parts.Tokenizer.EndOfText];
        prefix = start.Length;
        var features = parts.Features.Extract(samples, 480_000);
        using var states = parts.Model.Encode(features.Values, 1, features.Frames);
        using var cache = parts.Model.CreateCache(states, [0], new DecoderCacheOptions());
        var rows = new float[tokens.Length][];
        for (var i = 0; i < tokens.Length; i++)
        {
            rows[i] = new float[parts.Model.Info.VocabularySize];
            parts.Model.Decode(cache, tokens.AsSpan(i, 1), [], LogitPositions.Last, rows[i], []);
        }

        return rows;
    }

    private static double OfToken(float[] logits, int token)
    {
        var most = logits.Max();
        return logits[token] - most - Math.Log(logits.Sum(logit => Math.Exp(logit - most)));
    }

    /// <summary>A model whose adapter 1 hears everything more quietly, and that keeps what it was asked to encode.</summary>
    private sealed class TwoAdapters(ISeq2SeqModel model) : IMultiAdapterModel
    {
        public List<int[]> Encoded { get; } = [];

        public List<int> Frames { get; } = [];

        public Seq2SeqModelInfo Info => model.Info;

        public int ActiveAdapter { get; set; } = IMultiAdapterModel.NoAdapter;

        public int AddAdapter() => throw new NotSupportedException();

        public void RemoveAdapter(int adapter) => throw new NotSupportedException();

        public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames) => throw new NotSupportedException();

        public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames, ReadOnlySpan<int> adapters)
        {
            Encoded.Add([.. adapters]);
            Frames.Add(frames);
            var changed = features.ToArray();
            for (var i = 0; i < changed.Length; i++)
            {
                changed[i] -= adapters[i / (changed.Length / batch)] == 1 ? 0.5f : 0;
            }

            return model.Encode(changed, batch, frames);
        }

        public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options) => model.CreateCache(states, sourceRows, options);

        public void Decode(
            IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment) =>
            model.Decode(cache, tokens, counts, positions, logits, alignment);

        public void Dispose()
        {
        }
    }
}
