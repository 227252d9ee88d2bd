using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tests.Checkpoints;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Alignment;

/// <summary>A decoder of two layers and two heads whose attention is made up: head 1.0 looks at each token where it is said, the others elsewhere.</summary>
public sealed class AlignmentHeadFinderTests
{
    private const int Positions = 200;

    /// <summary>Each text token takes as long, from 0.5 s on.</summary>
    private const int FirstPosition = 25;
    private const int PositionsPerToken = 10;

    [Fact]
    public void Find_OneHeadFollows_ChoosesItAlone()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");
        FreshCheckpoint.Write(directory, FreshCheckpointTests.Texts, FreshCheckpointTests.Small);
        var tokenizer = WhisperTokenizer.Load(directory);
        using var model = new MadeUpModel(tokenizer.VocabularySize);

        var choice = AlignmentHeadFinder.Find(
            model, tokenizer, [Utterance(tokenizer, "the cat sat on the mat"), Utterance(tokenizer, "where is that hat")], 50, 1);

        Assert.Equal([new AttentionHead(1, 0)], choice.Heads);
        Assert.Equal(2, choice.Utterances);
        Assert.Equal(4, choice.Single.Count);
        Assert.Equal(new AttentionHead(1, 0), choice.Single[0].Head);
        Assert.InRange(choice.ErrorSeconds, 0, 0.02);
        Assert.All(choice.Single.Skip(1), pair => Assert.True(pair.ErrorSeconds > 0.2, $"{pair}"));
        Assert.Equal(0, model.Open);
    }

    [Fact]
    public void Find_NothingToCompare_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");
        FreshCheckpoint.Write(directory, FreshCheckpointTests.Texts, FreshCheckpointTests.Small);
        var tokenizer = WhisperTokenizer.Load(directory);
        using var model = new MadeUpModel(tokenizer.VocabularySize);

        Assert.Throws<AsrException>(() => AlignmentHeadFinder.Find(model, tokenizer, [], 50, 1));
    }

    private static TimedUtterance Utterance(WhisperTokenizer tokenizer, string text)
    {
        var words = new List<(string, double)>();
        var tokens = 0;
        foreach (var word in text.Split(' '))
        {
            tokens += tokenizer.Encode(" " + word).Length;
            words.Add((word, (FirstPosition + (tokens * PositionsPerToken)) / 50.0));
        }

        return new TimedUtterance(new FeatureMatrix(new float[80 * 2 * Positions], 80, 2 * Positions, 2 * Positions), words, "en");
    }

    private sealed class MadeUpModel(int vocabulary) : ISeq2SeqModel
    {
        public int Open { get; private set; }

        public Seq2SeqModelInfo Info { get; } = new()
        {
            Backend = "made up",
            Device = "cpu",
            FeatureSize = 80,
            Width = 4,
            VocabularySize = vocabulary,
            MaxSourcePositions = Positions,
            MaxTargetPositions = 64,
            EncoderLayers = 1,
            DecoderLayers = 2,
            DecoderHeads = 2,
            Parameters = 0,
        };

        public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
        {
            Open++;
            return new States(this);
        }

        public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options) => new Cache(options);

        public void Decode(
            IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
        {
            var made = (Cache)cache;
            for (var head = 0; head < made.Heads.Count; head++)
            {
                for (var i = 0; i < tokens.Length; i++)
                {
                    // The token that is predicted here: text begins behind start, language, task and no timestamps.
                    var text = Math.Max(0, made.Tokens + i - 3);
                    var row = alignment.Slice(((head * tokens.Length) + i) * Positions, Positions);
                    row.Clear();
                    if (made.Heads[head] == new AttentionHead(1, 0))
                    {
                        row[text == 0 ? ..FirstPosition : Range(text - 1)].Fill(text == 0 ? 0 : 0.0001f);
                        row[Range(text)].Fill(1f / PositionsPerToken);
                    }
                    else
                    {
                        // Always towards the end of the window.
                        row[(Positions - 20 + (made.Heads[head].Head * 5))..].Fill(0.05f);
                    }
                }
            }

            made.Tokens += tokens.Length;
        }

        public void Dispose()
        {
        }

        private static Range Range(int text) =>
            Math.Min(Positions - 1, FirstPosition + (text * PositionsPerToken))..Math.Min(Positions, FirstPosition + ((text + 1) * PositionsPerToken));

        private sealed class States(MadeUpModel model) : IEncoderStates
        {
            public int Batch => 1;

            public int Positions => AlignmentHeadFinderTests.Positions;

            public void CopyTo(Span<float> destination) => destination.Clear();

            public void Dispose() => model.Open--;
        }

        private sealed class Cache(DecoderCacheOptions options) : IDecoderCache
        {
            public IReadOnlyList<AttentionHead> Heads => options.AlignmentHeads;

            public int Tokens { get; set; }

            public int Rows => 1;

            public int Capacity => options.Capacity;

            public int Length(int row) => Tokens;

            public void Reorder(ReadOnlySpan<int> rows)
            {
            }

            public void Truncate(int length) => Tokens = Math.Min(Tokens, length);

            public void Dispose()
            {
            }
        }
    }
}
