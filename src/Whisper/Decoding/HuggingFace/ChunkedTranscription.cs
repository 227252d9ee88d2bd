using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>One run of <see cref="ChunkedDecoder"/> over files.</summary>
internal sealed class ChunkedTranscription : IDisposable
{
    private const double StrideShare = 1.0 / 6;

    private readonly WhisperDecoderInput _input;
    private readonly TranscriptionOptions _options;
    private readonly GenerationOptions _generation;
    private readonly HuggingFaceGenerator _generator;
    private readonly Action<int, FileTranscription> _finished;
    private readonly Action<int, TranscriptionProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly int _windowSamples;
    private readonly int _chunkSamples;
    private readonly int _strideSamples;
    private readonly List<Pending> _pending = [];
    private readonly Queue<ChunkedFile> _files = new(); // not yet told, in order

    /// <summary>Makes a run.</summary>
    /// <param name="input">The model and what belongs to it.</param>
    /// <param name="options">What the transcripts are to be like; lengths and batches.</param>
    /// <param name="generation">How windows are decoded.</param>
    /// <param name="finished">Told each file, in their order.</param>
    /// <param name="progress">Told how far a file is; may be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">The lengths do not fit each other or the model.</exception>
    public ChunkedTranscription(
        WhisperDecoderInput input,
        TranscriptionOptions options,
        GenerationOptions generation,
        Action<int, FileTranscription> finished,
        Action<int, TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        _input = input;
        _options = options;
        _finished = finished;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _generation = generation with { ConditionOnPreviousTokens = false };
        _windowSamples = input.Config.MaxFrames * input.Features.HopLength;
        (_chunkSamples, _strideSamples) = Lengths(options, _windowSamples, input.Features.SampleRateHz);
        _generator = new HuggingFaceGenerator(input.Model, input.Config, HuggingFaceDecoder.Complete(input.Generation, input.Tokenizer));
    }

    public void Run(IEnumerable<IAudioSource> audio)
    {
        foreach (var (index, source) in audio.Index())
        {
            var file = new ChunkedFile(index, _input, _options, _windowSamples);
            _files.Enqueue(file);
            Read(source, file);
            Tell();
        }

        Decode();
        Tell();
    }

    public void Dispose() => _generator.Dispose();

    // In samples, rounded as the pipeline does.
    private static (int Chunk, int Stride) Lengths(TranscriptionOptions options, int windowSamples, int rate)
    {
        var window = (double)windowSamples / rate;
        var chunk = options.ChunkLengthSeconds ?? window;
        if (chunk > window)
        {
            throw new AsrException(FormattableString.Invariant($"The chunk length is {chunk} s, but the model hears {window} s at once: give up to that."));
        }

        var stride = options.StrideLengthSeconds ?? chunk * StrideShare;
        var (chunkSamples, strideSamples) = ((int)Math.Round(chunk * rate), (int)Math.Round(stride * rate));
        return 2L * strideSamples < chunkSamples
            ? (chunkSamples, strideSamples)
            : throw new AsrException(FormattableString.Invariant(
                $"The stride is {stride} s on each side of chunks of {chunk} s: give less than half of the chunk length, or longer chunks."));
    }

    private void Read(IAudioSource source, ChunkedFile file)
    {
        AudioChunks? chunks = null;
        try
        {
            while (Next(source, file, ref chunks) is { } next)
            {
                _pending.Add(next);
                if (_pending.Count == _options.BatchSize)
                {
                    Decode();
                    Tell();
                }
            }
        }
        finally
        {
            chunks?.Dispose();
        }
    }

    // The features of a file's next window; null at its end, and where it cannot be read.
    private Pending? Next(IAudioSource source, ChunkedFile file, ref AudioChunks? chunks)
    {
        try
        {
            if (chunks is null)
            {
                if (source.SampleRateHz != _input.Features.SampleRateHz)
                {
                    throw new AsrException($"The audio has {source.SampleRateHz} samples per second; the model takes {_input.Features.SampleRateHz}.");
                }

                chunks = new AudioChunks(source, _chunkSamples, _strideSamples);
                file.TotalSamples = source.LengthSamples;
            }

            if (chunks.Next(_cancellationToken) is { } chunk)
            {
                file.Waiting++;
                return new Pending(file, new FeatureMatrixWindows(_input.Features.Extract(chunk.Samples.Span, _windowSamples)), chunk.Samples.Length, chunk.StrideLeft, chunk.StrideRight);
            }

            file.TotalSamples = chunks.SampleCount;
            file.IsRead = true;
        }
        catch (AsrException error)
        {
            file.Error = error;
        }

        return null;
    }

    private void Decode()
    {
        _pending.RemoveAll(next => next.File.Error is not null);
        if (_pending.Count == 0)
        {
            return;
        }

        var results = _generator.Generate([.. _pending.Select(next => next.Features)], _generation, cancellationToken: _cancellationToken);
        var heard = new HashSet<ChunkedFile>();
        foreach (var (next, result) in _pending.Zip(results))
        {
            next.File.Add(result, next.Samples, next.StrideLeft, next.StrideRight);
            heard.Add(next.File);
        }

        _pending.Clear();
        foreach (var file in heard)
        {
            _progress?.Invoke(file.Index, file.Report());
        }
    }

    private void Tell()
    {
        while (_files.TryPeek(out var file) && (file.Error is not null || (file.IsRead && file.Waiting == 0)))
        {
            _files.Dequeue();
            if (file.Error is { } error)
            {
                _finished(file.Index, new FileTranscription(null, error));
                continue;
            }

            var result = file.Complete();
            _progress?.Invoke(file.Index, file.Report());
            _finished(file.Index, new FileTranscription(result, null));
        }
    }

    // A window of a file before it is decoded.
    private sealed record Pending(ChunkedFile File, FeatureMatrixWindows Features, int Samples, int StrideLeft, int StrideRight);
}

/// <summary>A file that is being transcribed in chunks.</summary>
internal sealed class ChunkedFile
{
    private readonly WhisperDecoderInput _input;
    private readonly TranscriptionOptions _options;
    private readonly WindowMerger _merger;
    private readonly double _rate;
    private readonly List<TranscriptSegment> _segments = [];
    private readonly List<(double Start, double OwnStart, double OwnEnd, double End)> _chunks = []; // in seconds; its own is what neighbours do not have
    private readonly Dictionary<string, int> _languages = []; // windows of each
    private int _told;

    public ChunkedFile(int index, WhisperDecoderInput input, TranscriptionOptions options, int windowSamples)
    {
        Index = index;
        _input = input;
        _options = options;
        _rate = input.Features.SampleRateHz;
        _merger = new WindowMerger(input.Tokenizer.TimestampBegin, windowSamples / _rate, options.WordTimestamps);
    }

    /// <summary>Its number.</summary>
    public int Index { get; }

    /// <summary>Its length; null while it is not known.</summary>
    public long? TotalSamples { get; set; }

    /// <summary>Windows that are read and not decoded.</summary>
    public int Waiting { get; set; }

    /// <summary>Whether there is nothing more to read.</summary>
    public bool IsRead { get; set; }

    /// <summary>Why it cannot be transcribed.</summary>
    public AsrException? Error { get; set; }

    // That of most windows.
    private string? Language => _languages.Count == 0 ? null : _languages.MaxBy(language => language.Value).Key;

    /// <summary>Adds what was heard in its next window.</summary>
    public void Add(GenerationResult heard, int samples, int strideLeft, int strideRight)
    {
        Waiting--;
        if (heard.LanguageToken is { } token && _input.Tokenizer.LanguageCode(token) is { } language)
        {
            _languages[language] = _languages.GetValueOrDefault(language) + 1;
        }

        var window = new HeardWindow(Tokens(heard), samples / _rate, strideLeft / _rate, strideRight / _rate);
        var own = _merger.DoneSeconds;
        var closed = _merger.Add(window);
        _chunks.Add((own - window.StrideLeft, own, _merger.DoneSeconds, _merger.DoneSeconds + window.StrideRight));
        foreach (var segment in closed)
        {
            Add(segment);
        }
    }

    /// <summary>How far it is, and the segments since the last call.</summary>
    public TranscriptionProgress Report()
    {
        var first = _told;
        _told = _segments.Count;
        return new TranscriptionProgress(_merger.DoneSeconds, TotalSamples / _rate, _segments.GetRange(first, _segments.Count - first));
    }

    /// <summary>Ends it.</summary>
    public TranscriptionResult Complete()
    {
        if (_merger.Complete() is { } rest)
        {
            Add(rest);
        }

        return new TranscriptionResult
        {
            Text = string.Concat(_segments.Select(segment => segment.Text)),
            Language = Language,
            DurationSeconds = TotalSamples!.Value / _rate,
            Segments = _segments,
        };
    }

    private List<HeardToken> Tokens(GenerationResult heard)
    {
        var tokens = new List<HeardToken>();
        var start = 0.0; // where the token before ends
        foreach (var window in heard.Windows)
        {
            foreach (var segment in window.Segments)
            {
                for (var i = 0; i < segment.Tokens.Count; i++)
                {
                    var place = segment.Offset + i;
                    var end = window.TokenTimes is { } times ? times[place] + (window.Seek / 100.0) : 0;
                    if (!_input.Tokenizer.IsSpecial(segment.Tokens[i]))
                    {
                        tokens.Add(new HeardToken(segment.Tokens[i], start, end, window.Probabilities[place], window, _chunks.Count));
                    }

                    start = end;
                }
            }
        }

        return tokens;
    }

    private void Add(MergedSegment segment)
    {
        var start = segment.Start ?? (_segments.Count > 0 ? _segments[^1].End : 0);
        if (!_options.WithoutTimestamps)
        {
            Add(segment.Tokens, start, segment.End ?? _merger.DoneSeconds);
            return;
        }

        // Text without timestamps is divided where the windows are, between words; what follows a word without a space stays with it.
        var language = Language ?? WordTimes.SpacedLanguage;
        var hasSpaces = WhisperTokenizer.WritesSpaces(language);
        var (words, wordTokens) = _input.Tokenizer.SplitToWords([.. segment.Tokens.Select(token => token.Id)], language);
        var (first, place) = (0, 0);
        foreach (var (word, ids) in words.Zip(wordTokens))
        {
            if (place > first && segment.Tokens[place].Chunk != segment.Tokens[first].Chunk && (!hasSpaces || word.StartsWith(' ')))
            {
                AddChunk(first, place);
                first = place;
            }

            place += ids.Length;
        }

        AddChunk(first, place);

        void AddChunk(int from, int to)
        {
            if (to > from)
            {
                var (_, begin, end, _) = _chunks[segment.Tokens[from].Chunk];
                Add([.. segment.Tokens.Skip(from).Take(to - from)], begin, end);
            }
        }
    }

    private void Add(IReadOnlyList<HeardToken> tokens, double start, double end)
    {
        if (tokens.Count == 0)
        {
            return;
        }

        // The model may say a time behind the audio, whose end is known at the latest with the last chunk.
        var (_, _, heard, last) = _chunks[^1];
        var limit = TotalSamples is { } total ? total / _rate : heard == last ? last : double.PositiveInfinity;
        (start, end) = (Math.Min(start, limit), Math.Min(end, limit));
        int[] ids = [.. tokens.Select(token => token.Id)];
        var window = tokens[0].Window;
        _segments.Add(new TranscriptSegment
        {
            Id = _segments.Count,
            Seek = (int)Math.Round(100 * _chunks[tokens[0].Chunk].Start) + window.Seek,
            Start = start,
            End = Math.Max(start, end),
            Text = _input.Tokenizer.Decode(ids),
            Tokens = ids,
            Temperature = window.Temperature,
            AverageLogProbability = window.AverageLogProbability,
            CompressionRatio = window.CompressionRatio,
            NoSpeechProbability = window.NoSpeechProbability,
            Words = _options.WordTimestamps ? WordTimes.Collect(_input.Tokenizer, tokens) : null,
        });
    }
}
