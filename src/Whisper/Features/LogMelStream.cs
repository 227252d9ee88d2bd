using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Whisper.Features;

/// <summary>
/// The features of audio of any length in bounded memory, as OpenAI's <c>transcribe()</c> has them: log-mel of the whole file and 30 s
/// of silence after it, limited to 8 below the maximum of the whole, taken window by window.
/// </summary>
/// <remarks>
/// The constructor reads the audio once for its length and its maximum. Up to ten minutes are kept from that pass; longer audio is read
/// a second time as windows move on, and again from its start when one lies further back than what is kept (some 30 s). Belongs to one thread.
/// </remarks>
public sealed class LogMelStream : IDisposable
{
    private const int HopLength = 160;

    /// <summary>OpenAI's silence behind the audio.</summary>
    private const int PaddingFrames = 3000;

    private const int BlockFrames = 512;

    /// <summary>Ten minutes: 19 MB with 80 mel bins.</summary>
    private const int KeptBlocks = 10 * 60 * 100 / BlockFrames;

    private readonly LogMelExtractor _extractor;
    private readonly IAudioSource _audio;
    private readonly CancellationToken _cancellationToken;
    private readonly List<float[]> _blocks = []; // [mel, BlockFrames] each, adjoining
    private readonly Stack<float[]> _spare = new();
    private readonly bool _keepsAll;
    private int _firstBlock;
    private FrameReader? _reader;

    /// <summary>Reads the audio once.</summary>
    /// <param name="extractor">The model's features; must not normalise samples.</param>
    /// <param name="audio">The audio, at the extractor's rate; not disposed.</param>
    /// <param name="cancellationToken">Stops this and later passes.</param>
    /// <exception cref="AsrException">The audio cannot be read.</exception>
    public LogMelStream(LogMelExtractor extractor, IAudioSource audio, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(extractor);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentOutOfRangeException.ThrowIfNotEqual(audio.SampleRateHz, extractor.SampleRateHz, nameof(audio));
        if (extractor.NormalizesSamples)
        {
            throw new AsrException("This checkpoint's preprocessor_config.json asks for do_normalize, which OpenAI's algorithm does not know: use --algorithm hf.");
        }

        _extractor = extractor;
        _audio = audio;
        _cancellationToken = cancellationToken;

        using var reader = new FrameReader(extractor, audio);
        var maximum = LogMelExtractor.SilenceLog10;
        var blocks = 0;
        while (ReadBlock(reader) is { } block)
        {
            blocks++;
            maximum = Math.Max(maximum, TensorPrimitives.Max<float>(block));
            if (blocks <= KeptBlocks)
            {
                _blocks.Add(block);
            }
            else
            {
                _spare.Push(block);
                Recycle(_blocks.Count);
            }
        }

        _keepsAll = blocks <= KeptBlocks;
        if (!_keepsAll)
        {
            _firstBlock = 0;
            TrimSpare();
        }

        SampleCount = reader.SamplesRead;
        Frames = checked((int)(SampleCount / HopLength));
        MaximumLog10 = maximum;
    }

    /// <summary>Length of the audio in samples.</summary>
    public long SampleCount { get; }

    /// <summary>Frames of audio (10 ms each), without the silence behind it: OpenAI's <c>content_frames</c>.</summary>
    public int Frames { get; }

    /// <summary>The largest log10 of mel power in the whole audio; −10 for silence.</summary>
    public float MaximumLog10 { get; }

    /// <summary>Copies frames, and zeros behind them, as OpenAI pads a short window.</summary>
    /// <param name="firstFrame">The first frame, ≥ 0. Moving forward is cheap.</param>
    /// <param name="frames">
    /// Frames to copy; may reach beyond <see cref="Frames"/> into the 30 s of silence (language detection does), which is not zero.
    /// </param>
    /// <param name="destination"><c>[mel, window]</c>, where the window is destination.Length / mel and at least <paramref name="frames"/>.</param>
    /// <exception cref="AsrException">The audio cannot be read a second time.</exception>
    public void Read(int firstFrame, int frames, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstFrame);
        ArgumentOutOfRangeException.ThrowIfNegative(frames);
        var mel = _extractor.FeatureSize;
        var window = destination.Length / mel;
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, window * mel, nameof(destination));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frames, window);

        var end = Math.Min((long)firstFrame + frames, (SampleCount / HopLength) + PaddingFrames);
        destination.Clear();
        for (long frame = firstFrame; frame < end;)
        {
            var offset = (int)(frame % BlockFrames);
            var count = (int)Math.Min(BlockFrames - offset, end - frame);
            var block = Block((int)(frame / BlockFrames), firstFrame / BlockFrames);
            for (var bin = 0; bin < mel; bin++)
            {
                var target = destination.Slice((bin * window) + (int)(frame - firstFrame), count);
                if (block is null)
                {
                    target.Fill(LogMelExtractor.SilenceLog10);
                }
                else
                {
                    block.AsSpan((bin * BlockFrames) + offset, count).CopyTo(target);
                }

                LogMelExtractor.Normalize(target, MaximumLog10);
            }

            frame += count;
        }
    }

    /// <summary>Closes the audio's reader.</summary>
    public void Dispose() => _reader?.Dispose();

    /// <summary>A block of frames, or null beyond the audible ones; blocks before <paramref name="oldest"/> are given up.</summary>
    private float[]? Block(int index, int oldest)
    {
        if (!_keepsAll)
        {
            if (oldest < _firstBlock || _reader is null)
            {
                _reader?.Dispose();
                Recycle(_blocks.Count);
                _firstBlock = 0;
                _reader = new FrameReader(_extractor, _audio);
            }

            Recycle(Math.Min(_blocks.Count, oldest - _firstBlock));
            while (_firstBlock + _blocks.Count <= index && ReadBlock(_reader) is { } block)
            {
                _blocks.Add(block);
                Recycle(Math.Min(_blocks.Count, oldest - _firstBlock));
            }
        }

        var position = index - _firstBlock;
        return position < _blocks.Count ? _blocks[position] : null;
    }

    private float[]? ReadBlock(FrameReader reader)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        if (!_spare.TryPop(out var block))
        {
            block = new float[_extractor.FeatureSize * BlockFrames];
        }

        if (reader.Read(block, BlockFrames) > 0)
        {
            return block;
        }

        _spare.Push(block);
        return null;
    }

    private void Recycle(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _spare.Push(_blocks[i]);
        }

        _blocks.RemoveRange(0, count);
        _firstBlock += count;
    }

    private void TrimSpare()
    {
        // A window of 3000 frames touches seven blocks.
        while (_spare.Count > 8)
        {
            _spare.Pop();
        }

        _spare.TrimExcess();
    }

    /// <summary>Un-normalised frames from the start of a reader to the last one that hears any of its audio.</summary>
    private sealed class FrameReader : IDisposable
    {
        private const int BufferLength = ((BlockFrames - 1) * HopLength) + (2 * LogMelExtractor.HalfWindow);

        private readonly LogMelExtractor _extractor;
        private readonly IAudioReader _reader;
        private readonly float[] _samples = new float[BufferLength];
        private int _filled;
        private bool _ended;
        private long _frame;

        public FrameReader(LogMelExtractor extractor, IAudioSource audio)
        {
            _extractor = extractor;
            _reader = audio.OpenReader();
            try
            {
                // The first frame is centred on the first sample: what lies before mirrors what comes after.
                const int Half = LogMelExtractor.HalfWindow;
                _filled = Half;
                Fill((2 * Half) + 1);
                for (var i = 1; i <= Half; i++)
                {
                    _samples[Half - i] = _samples[Half + i];
                }
            }
            catch
            {
                _reader.Dispose();
                throw;
            }
        }

        public long SamplesRead { get; private set; }

        /// <summary>Reads the next frames into <c>[mel, <see cref="BlockFrames"/>]</c>, silence behind them; 0 at the end.</summary>
        public int Read(float[] destination, int frames)
        {
            Fill(BufferLength);
            if (_ended)
            {
                var audible = (SamplesRead + LogMelExtractor.HalfWindow + HopLength - 1) / HopLength;
                frames = (int)Math.Min(frames, SamplesRead == 0 ? 0 : audible - _frame);
            }

            if (frames <= 0)
            {
                return 0;
            }

            _samples.AsSpan(_filled).Clear();
            if (frames < BlockFrames)
            {
                destination.AsSpan().Fill(LogMelExtractor.SilenceLog10);
            }

            _extractor.LogMel(_samples, frames, destination, BlockFrames);

            var used = Math.Min(_filled, frames * HopLength);
            _samples.AsSpan(used, _filled - used).CopyTo(_samples);
            _filled -= used;
            _frame += frames;
            return frames;
        }

        public void Dispose() => _reader.Dispose();

        private void Fill(int length)
        {
            while (!_ended && _filled < length)
            {
                var count = _reader.Read(_samples.AsSpan(_filled, length - _filled));
                _ended = count == 0;
                _filled += count;
                SamplesRead += count;
            }
        }
    }
}
