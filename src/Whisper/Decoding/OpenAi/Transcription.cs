using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>One run of OpenAI's <c>transcribe()</c>.</summary>
internal sealed class Transcription : IDisposable
{
    // Text sampled at a higher temperature than this is no good prompt.
    private const double MaxPromptTemperature = 0.5;

    private readonly WhisperDecoderInput _input;
    private readonly TranscriptionOptions _options;
    private readonly Action<TranscriptionProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly LogMelStream _mel;
    private readonly int _windowFrames;
    private readonly float[] _window; // [mel, frame]
    private readonly double _framesPerSecond;
    private readonly Random _random;
    private readonly double[] _temperatures;
    private readonly List<TranscriptSegment> _segments = [];
    private readonly List<int> _tokens = [];
    private IEncoderStates? _firstStates; // of the first window, where language detection has encoded it already
    private int _promptStart;
    private double _lastSpeechEnd;

    public Transcription(
        WhisperDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        _input = input;
        _options = options;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _windowFrames = 2 * input.Model.Info.MaxSourcePositions;
        _window = new float[input.Features.FeatureSize * _windowFrames];
        _framesPerSecond = (double)input.Features.SampleRateHz / input.Features.HopLength;
        _random = new Random(options.Seed);
        _temperatures = FallbackTemperatures.Of(options);
        _mel = new LogMelStream(input.Features, audio, cancellationToken);
    }

    public void Dispose()
    {
        _firstStates?.Dispose();
        _mel.Dispose();
    }

    public TranscriptionResult Run()
    {
        var language = _options.Language ?? DetectLanguage();
        var windowOptions = WindowDecoderOptions.Create(_input, _options, language);
        using var decoder = new WindowDecoder(_input.Model, _input.Tokenizer, windowOptions);
        var aligner = _options.WordTimestamps
            ? new WordAligner(
                _input.Model, _input.Tokenizer, _input.Generation.AlignmentHeads, _input.PositionsPerSecond, _input.Config.MedianFilterWidth)
            : null;

        int[] promptTokens = _options.InitialPrompt is { } prompt ? _input.Tokenizer.EncodePrompt(prompt)[1..] : [];
        _tokens.AddRange(promptTokens);
        foreach (var (start, end) in Clips())
        {
            for (var seek = start; seek < end;)
            {
                var next = DecodeWindow(decoder, aligner, language, seek, Math.Min(_windowFrames, end - seek));

                // Nothing in the rules of timestamps keeps a window from using nothing up: it would come back for ever.
                seek = next > seek ? next : Math.Min(seek + _windowFrames, end);
            }
        }

        return new TranscriptionResult
        {
            Text = _input.Tokenizer.Decode([.. _tokens.Skip(promptTokens.Length)]),
            Language = language,
            DurationSeconds = _mel.SampleCount / (double)_input.Features.SampleRateHz,
            Segments = _segments,
        };
    }

    private string? DetectLanguage()
    {
        if (!_input.Tokenizer.IsMultilingual)
        {
            return null;
        }

        // Here, and only here, short audio is padded with silence and not with zeros in the feature domain.
        _cancellationToken.ThrowIfCancellationRequested();
        _mel.Read(0, _windowFrames, _window);
        _firstStates = _input.Model.Encode(_window, 1, _windowFrames);
        var language = LanguageDetector.Detect(_input.Model, _firstStates, _input.Tokenizer)[0][0].Code;
        if (_mel.Frames < _windowFrames)
        {
            _firstStates.Dispose();
            _firstStates = null;
        }

        return language;
    }

    // Start and end frames of what is to be transcribed.
    private IEnumerable<(int Start, int End)> Clips()
    {
        var points = _options.ClipTimestamps.Select(seconds => (int)Math.Min(Math.Round(seconds * _framesPerSecond), _mel.Frames)).ToList();
        if (points.Count == 0)
        {
            points.Add(0);
        }

        if (points.Count % 2 == 1)
        {
            points.Add(_mel.Frames);
        }

        return points.Chunk(2).Select(pair => (pair[0], pair[1]));
    }

    // Decodes the window that starts at a frame; returns the frame at which the next one starts.
    private int DecodeWindow(WindowDecoder decoder, WordAligner? aligner, string? language, int seek, int frames)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        using var states = EncodeWindow(seek, frames);
        var result = DecodeWithFallback(decoder, states);
        if (IsSilence(result))
        {
            Report(seek + frames, []);
            return seek + frames;
        }

        var offset = seek / _framesPerSecond;
        var split = WindowSegments.Split(result.Tokens, _input.Tokenizer, offset, frames, _framesPerSecond);
        var next = seek + split.UsedFrames;
        if (aligner is not null)
        {
            AssignWords(aligner, states, split.Segments, language, offset, frames);
            var lastWordEnd = split.Segments.LastOrDefault(segment => segment.Words!.Count > 0)?.Words![^1].End ?? split.Segments[^1].End;
            if (!split.EndsWithSingleTimestamp && lastWordEnd > offset)
            {
                next = (int)Math.Round(lastWordEnd * _framesPerSecond);
            }

            _lastSpeechEnd = lastWordEnd;
        }

        var first = _segments.Count;
        split.Segments.ForEach(segment => Add(segment, result, seek));

        if (!_options.ConditionOnPreviousText || !_input.Generation.ConditionsOnPreviousText || result.Temperature > MaxPromptTemperature)
        {
            _promptStart = _tokens.Count;
        }

        Report(next, _segments.GetRange(first, _segments.Count - first));
        return next;
    }

    private IEncoderStates EncodeWindow(int seek, int frames)
    {
        if (seek == 0 && frames == _windowFrames && _firstStates is { } states)
        {
            _firstStates = null;
            return states;
        }

        if (!(_input.Generation.HasDynamicContext && _input.Model.Info.SupportsShortContext))
        {
            _mel.Read(seek, frames, _window);
            return _input.Model.Encode(_window, 1, _windowFrames);
        }

        // Such a model learnt from audio with silence behind it, never from zeros in the feature domain: it is given the window alone, at
        // the end of the audio with silence up to a whole second.
        var isLast = seek + frames == _mel.Frames;
        var step = isLast ? (int)_framesPerSecond : 2;
        var context = Math.Min((frames + step - 1) / step * step, _windowFrames);
        var window = _window.AsSpan(0, _input.Features.FeatureSize * context);
        _mel.Read(seek, isLast ? context : frames, window);
        return _input.Model.Encode(window, 1, context);
    }

    private WindowResult DecodeWithFallback(WindowDecoder decoder, IEncoderStates states)
    {
        try
        {
            decoder.Begin(states, CollectionsMarshal.AsSpan(_tokens)[_promptStart..]);
            WindowResult? result = null;
            foreach (var temperature in _temperatures)
            {
                result = decoder.Decode(temperature, _random, _cancellationToken);
                var unlikely = result.HeardLogProbability < _options.LogProbabilityThreshold;
                var silent = unlikely && result.NoSpeechProbability > _options.NoSpeechThreshold;
                if (silent || !(unlikely || result.CompressionRatio > _options.CompressionRatioThreshold))
                {
                    break;
                }
            }

            return result!;
        }
        finally
        {
            // The cache must not outlive the states.
            decoder.End();
        }
    }

    private bool IsSilence(WindowResult result) =>
        result.NoSpeechProbability > _options.NoSpeechThreshold && !(result.HeardLogProbability > _options.LogProbabilityThreshold);

    private void AssignWords(
        WordAligner aligner, IEncoderStates states, List<SegmentDraft> segments, string? language, double offset, int frames)
    {
        var tokenizer = _input.Tokenizer;
        int[] text = [.. segments.SelectMany(segment => segment.Tokens).Where(token => token < tokenizer.EndOfText)];
        var start = tokenizer.Prefix(language, _options.Task, timestamps: true);
        var words = aligner.Align(states, start, text, frames, language, _cancellationToken);
        SegmentWords.Assign(segments, words, offset, tokenizer.EndOfText, _lastSpeechEnd);
    }

    private void Add(SegmentDraft draft, WindowResult result, int seek)
    {
        // A segment without length or text stays as an empty one, and its tokens prompt nothing.
        var empty = draft.Start == draft.End || string.IsNullOrWhiteSpace(draft.Text);
        _segments.Add(new TranscriptSegment
        {
            Id = _segments.Count,
            Seek = seek,
            Start = draft.Start,
            End = draft.End,
            Text = empty ? string.Empty : draft.Text,
            Tokens = empty ? [] : draft.Tokens,
            Temperature = result.Temperature,
            AverageLogProbability = result.AverageLogProbability,
            CompressionRatio = result.CompressionRatio,
            NoSpeechProbability = result.NoSpeechProbability,
            Words = empty && draft.Words is not null ? [] : draft.Words,
        });
        if (!empty)
        {
            _tokens.AddRange(draft.Tokens);
        }
    }

    private void Report(int doneFrames, IReadOnlyList<TranscriptSegment> segments) => _progress?.Invoke(new TranscriptionProgress(
        Math.Min(doneFrames, _mel.Frames) / _framesPerSecond, _mel.Frames / _framesPerSecond, segments));
}
