using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

/// <summary>
/// A model that hears tones: each second of audio is one word, told by the mel bin that is loudest in it. With timestamps it makes a
/// segment of five seconds.
/// </summary>
internal sealed class ToneModel(Seq2SeqModelInfo like) : ISeq2SeqModel
{
    private const int Rate = 16000;
    private const int FramesPerSecond = 100;
    private const int SecondsPerSegment = 5;
    private const int EndOfText = 50257;
    private const int NoTimestamps = 50363;
    private const int TimestampBegin = 50364;
    private const int TimestampsPerSecond = 50;
    private const int FirstWord = 5000;
    private const float Quiet = 0.5f;

    public Seq2SeqModelInfo Info { get; } = like with { Backend = "tones" };

    /// <summary>Windows that were encoded at once, at most.</summary>
    public int LargestBatch { get; private set; }

    /// <summary>A tone a second; those that are near each other differ.</summary>
    public static MemoryAudioSource Audio(int seconds, int first = 0)
    {
        var samples = new float[seconds * Rate];
        for (var index = 0; index < samples.Length; index++)
        {
            var tone = (first + (index / Rate)) * 7 % 41;
            samples[index] = 0.5f * MathF.Sin(2 * MathF.PI * (300 * MathF.Pow(1.07f, tone)) * (index % Rate) / Rate);
        }

        return new MemoryAudioSource(samples, Rate);
    }

    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        LargestBatch = Math.Max(LargestBatch, batch);
        var mels = features.Length / batch / frames;
        var words = new List<int>[batch];
        for (var row = 0; row < batch; row++)
        {
            words[row] = [];
            for (var frame = FramesPerSecond / 2; frame < frames; frame += FramesPerSecond)
            {
                var (loudest, loud, quiet) = (0, float.MinValue, float.MaxValue);
                for (var mel = 0; mel < mels; mel++)
                {
                    var value = features[(((row * mels) + mel) * frames) + frame];
                    (loudest, loud) = value > loud ? (mel, value) : (loudest, loud);
                    quiet = Math.Min(quiet, value);
                }

                if (loud - quiet > Quiet)
                {
                    words[row].Add(FirstWord + loudest);
                }
            }
        }

        return new States(words, frames / 2);
    }

    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        var words = ((States)states).Words;
        return new Cache([.. sourceRows.ToArray().Select(row => (words[row], new List<int>()))], Info.MaxTargetPositions);
    }

    public void Decode(
        IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var rows = ((Cache)cache).RowsOfWords;
        var width = tokens.Length / rows.Count;
        for (var row = 0; row < rows.Count; row++)
        {
            rows[row].Tokens.AddRange(tokens.Slice(row * width, counts.IsEmpty ? width : counts[row]));
            if (positions != LogitPositions.None)
            {
                Assert.Equal(LogitPositions.Last, positions);
                var values = logits.Slice(row * Info.VocabularySize, Info.VocabularySize);
                values.Fill(-20);
                values[Next(rows[row].Words, rows[row].Tokens)] = 10;
            }
        }
    }

    public void Dispose()
    {
    }

    private static int Next(List<int> words, List<int> tokens)
    {
        var said = tokens.Count(token => token is >= FirstWord and < EndOfText);
        if (tokens.Contains(NoTimestamps))
        {
            return said < words.Count ? words[said] : EndOfText;
        }

        var last = tokens[^1];
        var time = TimestampBegin + (said * TimestampsPerSecond);
        var closes = said > 0 && (said % SecondsPerSegment == 0 || said == words.Count);
        if (closes && last < TimestampBegin)
        {
            return time; // ends a segment
        }

        if (said == words.Count)
        {
            return EndOfText;
        }

        return said % SecondsPerSegment == 0 && (last < TimestampBegin || (said > 0 && tokens[^2] < TimestampBegin)) ? time : words[said];
    }

    private sealed class States(List<int>[] words, int positions) : IEncoderStates
    {
        public List<int>[] Words => words;

        public int Batch => words.Length;

        public int Positions => positions;

        public void CopyTo(Span<float> destination) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }

    private sealed class Cache(List<(List<int> Words, List<int> Tokens)> rows, int capacity) : IDecoderCache
    {
        public List<(List<int> Words, List<int> Tokens)> RowsOfWords { get; private set; } = rows;

        public int Rows => RowsOfWords.Count;

        public int Capacity => capacity;

        public int Length(int row) => RowsOfWords[row].Tokens.Count;

        public void Reorder(ReadOnlySpan<int> rows) =>
            RowsOfWords = [.. rows.ToArray().Select(row => (RowsOfWords[row].Words, new List<int>(RowsOfWords[row].Tokens)))];

        public void Truncate(int length)
        {
            foreach (var (_, tokens) in RowsOfWords.Where(row => row.Tokens.Count > length))
            {
                tokens.RemoveRange(length, tokens.Count - length);
            }
        }

        public void Dispose()
        {
        }
    }
}
