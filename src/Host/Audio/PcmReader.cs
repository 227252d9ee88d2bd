using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Audio;

/// <summary>Uncompressed samples of a stream as mono: the mean of all channels, at the stream's own rate.</summary>
/// <remarks>Integers are scaled to −1…1 by their width (int16 / 32768). Owns and disposes the stream.</remarks>
internal sealed class PcmReader : IAudioReader
{
    /// <summary>Far beyond any level that audio has, and far below what features of it could not represent.</summary>
    private const float MaxMagnitude = 1e9f;

    private const int BufferBytes = 1 << 16;

    private static readonly float[] ALawTable = G711Table(FromALaw);
    private static readonly float[] MuLawTable = G711Table(FromMuLaw);

    private readonly Stream _stream;
    private readonly WavHeader _header;
    private readonly string _name;
    private readonly byte[] _bytes;
    private readonly float[] _interleaved;
    private long _remaining;
    private long _frame;
    private int _start;
    private int _end;

    /// <summary>Makes a reader of a stream that stands at its first sample.</summary>
    public PcmReader(Stream stream, WavHeader header, string name)
    {
        _stream = stream;
        _header = header;
        _name = name;
        var frames = Math.Max(1, BufferBytes / header.FrameBytes);
        _bytes = new byte[frames * header.FrameBytes];
        _interleaved = header.Channels == 1 ? [] : new float[frames * header.Channels];
        _remaining = header.DataBytes ?? long.MaxValue;
    }

    /// <summary>Waits for the first frame; false when there is none. Takes nothing.</summary>
    public bool HasFrames()
    {
        FillFrame();
        return _end - _start >= _header.FrameBytes;
    }

    /// <inheritdoc />
    public int Read(Span<float> destination)
    {
        if (destination.IsEmpty || !HasFrames())
        {
            return 0;
        }

        var frames = Math.Min(destination.Length, (_end - _start) / _header.FrameBytes);
        var bytes = _bytes.AsSpan(_start, frames * _header.FrameBytes);
        destination = destination[..frames];
        if (_header.Channels == 1)
        {
            Decode(bytes, destination);
        }
        else
        {
            var interleaved = _interleaved.AsSpan(0, frames * _header.Channels);
            Decode(bytes, interleaved);
            Mix(interleaved, _header.Channels, destination);
        }

        RequireNumbers(destination);
        _start += bytes.Length;
        _frame += frames;
        return frames;
    }

    /// <inheritdoc />
    public void Dispose() => _stream.Dispose();

    private static void Mix(ReadOnlySpan<float> interleaved, int channels, Span<float> destination)
    {
        if (channels == 2)
        {
            for (var i = 0; i < destination.Length; i++)
            {
                destination[i] = (interleaved[2 * i] + interleaved[(2 * i) + 1]) * 0.5f;
            }

            return;
        }

        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = TensorPrimitives.Sum(interleaved.Slice(i * channels, channels)) / channels;
        }
    }

    private static float[] G711Table(Func<byte, int> decode) =>
        [.. Enumerable.Range(0, 256).Select(code => decode((byte)code) / 32768f)];

    /// <summary>The 16-bit sample of an A-law code. ITU-T G.711: sign, 3 bits of exponent, 4 of mantissa, even bits inverted.</summary>
    internal static int FromALaw(byte code)
    {
        code ^= 0x55;
        var exponent = (code >> 4) & 7;
        var value = ((code & 15) << 4) + 8;
        value = exponent == 0 ? value : (value + 256) << (exponent - 1);
        return (code & 0x80) != 0 ? value : -value;
    }

    /// <summary>The 16-bit sample of a µ-law code. ITU-T G.711: all bits inverted, sign, 3 bits of exponent, 4 of mantissa, a bias of 33 (132 at 16 bits).</summary>
    internal static int FromMuLaw(byte code)
    {
        code = (byte)~code;
        var value = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132;
        return (code & 0x80) != 0 ? -value : value;
    }

    private void FillFrame()
    {
        if (_end - _start >= _header.FrameBytes)
        {
            return;
        }

        _bytes.AsSpan(_start.._end).CopyTo(_bytes);
        _end -= _start;
        _start = 0;
        try
        {
            while (_end < _header.FrameBytes && _remaining > 0)
            {
                var count = _stream.Read(_bytes, _end, (int)Math.Min(_bytes.Length - _end, _remaining));
                if (count == 0)
                {
                    _remaining = 0;
                    break;
                }

                _end += count;
                _remaining -= count;
            }
        }
        catch (IOException error)
        {
            throw new AsrException($"{_name} cannot be read: {error.Message}", error);
        }
    }

    private void Decode(ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        switch (_header.Encoding)
        {
            case SampleEncoding.Pcm16:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, short>(bytes), destination);
                TensorPrimitives.Multiply(destination, 1f / 32768, destination);
                break;
            case SampleEncoding.Float32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(destination);
                break;
            case SampleEncoding.Float64:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), destination);
                break;
            case SampleEncoding.Pcm32:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, int>(bytes), destination);
                TensorPrimitives.Multiply(destination, 1f / (1u << 31), destination);
                break;
            case SampleEncoding.Pcm24:
                for (var i = 0; i < destination.Length; i++)
                {
                    var sample = (bytes[3 * i] << 8) | (bytes[(3 * i) + 1] << 16) | (bytes[(3 * i) + 2] << 24);
                    destination[i] = sample * (1f / (1u << 31));
                }

                break;
            case SampleEncoding.Pcm8:
                for (var i = 0; i < destination.Length; i++)
                {
                    destination[i] = (bytes[i] - 128) / 128f;
                }

                break;
            case SampleEncoding.ALaw:
            case SampleEncoding.MuLaw:
                var table = _header.Encoding == SampleEncoding.ALaw ? ALawTable : MuLawTable;
                for (var i = 0; i < destination.Length; i++)
                {
                    destination[i] = table[bytes[i]];
                }

                break;
            default:
                throw new InvalidOperationException($"No decoder for {_header.Encoding}.");
        }
    }

    private void RequireNumbers(ReadOnlySpan<float> samples)
    {
        if (_header.Encoding is not (SampleEncoding.Float32 or SampleEncoding.Float64)
            || Math.Abs(TensorPrimitives.MaxMagnitude(samples)) <= MaxMagnitude)
        {
            return;
        }

        var at = 0;
        while (Math.Abs(samples[at]) <= MaxMagnitude)
        {
            at++;
        }

        var position = _frame + at;
        throw new AsrException(FormattableString.Invariant(
            $"{_name}: sample {position} (at {(double)position / _header.SampleRateHz:0.####} s) is {samples[at]}, which is no audio. Export the file again."));
    }
}
