using System.Buffers;
using System.Buffers.Binary;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Host.Data;

/// <summary>The WAV file of a running session: PCM16 mono that only grows.</summary>
/// <remarks>
/// What <see cref="Append"/> returned for is in the operating system's hands and outlives the process. While the session runs the header
/// says "until the end of the file", as tools that write to a pipe do; <see cref="Close"/> and <see cref="Open"/> write the real length.
/// One caller appends at a time; reading is safe beside it.
/// </remarks>
internal sealed class SessionAudioFile : IDisposable
{
    /// <summary>Samples that a WAV file can hold: 37 hours at 16 kHz.</summary>
    public const long MaximumSamples = (uint.MaxValue - (long)WavWriter.HeaderBytes) / sizeof(short);

    private const int BlockSamples = 8192;

    private readonly SafeFileHandle _file;
    private readonly int _sampleRateHz;
    private long _samples;

    private SessionAudioFile(SafeFileHandle file, int sampleRateHz, long samples)
    {
        _file = file;
        _sampleRateHz = sampleRateHz;
        _samples = samples;
    }

    /// <summary>Samples kept.</summary>
    public long Samples => Volatile.Read(ref _samples);

    /// <summary>Opens a session's file to go on with, makes it when missing, and repairs what a killed process left.</summary>
    /// <exception cref="AsrException">It cannot be opened or written.</exception>
    public static SessionAudioFile Open(string path, int sampleRateHz)
    {
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
            var samples = Math.Max(0, RandomAccess.GetLength(file) - WavWriter.HeaderBytes) / sizeof(short);

            // Half a sample is none, and neither is a header that ends early.
            RandomAccess.SetLength(file, samples == 0 ? 0 : End(samples));
            var opened = new SessionAudioFile(file, sampleRateHz, samples);
            opened.WriteHeader(isGrowing: true);
            return opened;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw Explain(error);
        }
    }

    /// <summary>Writes samples after what is there.</summary>
    /// <param name="position">Samples that are to stay; what an earlier call left behind them when it failed is overwritten.</param>
    /// <param name="samples">Samples in −1…1, kept as round(32768 · s).</param>
    /// <exception cref="AsrException">The disk is full, refuses, or a WAV file cannot be longer; what was there before is untouched.</exception>
    public void Append(long position, ReadOnlySpan<float> samples)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Samples);
        if (position + samples.Length > MaximumSamples)
        {
            throw new AsrException($"the session holds {MaximumSamples} samples, all that a WAV file can: start another one");
        }

        var bytes = ArrayPool<byte>.Shared.Rent(sizeof(short) * samples.Length);
        try
        {
            for (var i = 0; i < samples.Length; i++)
            {
                var value = Math.Clamp(MathF.Round(samples[i] * 32768), short.MinValue, short.MaxValue);
                BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(sizeof(short) * i), (short)value);
            }

            RandomAccess.Write(_file, bytes.AsSpan(0, sizeof(short) * samples.Length), End(position));
            Volatile.Write(ref _samples, position + samples.Length);
        }
        catch (Exception error) when (error is IOException or ArgumentOutOfRangeException)
        {
            TryCut(position);
            throw Explain(error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Reads samples; fewer than asked for only at the end.</summary>
    /// <exception cref="AsrException">The disk refuses.</exception>
    public int Read(long position, Span<float> destination)
    {
        var wanted = (int)Math.Min(Samples - position, destination.Length);
        if (wanted <= 0)
        {
            return 0;
        }

        var bytes = ArrayPool<byte>.Shared.Rent(sizeof(short) * Math.Min(wanted, BlockSamples));
        try
        {
            var done = 0;
            while (done < wanted)
            {
                var some = bytes.AsSpan(0, sizeof(short) * Math.Min(wanted - done, BlockSamples));
                var count = RandomAccess.Read(_file, some, End(position + done)) / sizeof(short);
                if (count == 0)
                {
                    break;
                }

                for (var i = 0; i < count; i++)
                {
                    destination[done + i] = BinaryPrimitives.ReadInt16LittleEndian(some[(sizeof(short) * i)..]) / 32768f;
                }

                done += count;
            }

            return done;
        }
        catch (IOException error)
        {
            throw Explain(error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Writes the header with the real length, and hands everything to the disk itself.</summary>
    /// <exception cref="AsrException">The disk refuses; the samples are there all the same.</exception>
    public void Close()
    {
        try
        {
            WriteHeader(isGrowing: false);
            RandomAccess.FlushToDisk(_file);
        }
        catch (IOException error)
        {
            throw Explain(error);
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>What to tell a client: nothing of the machine's paths.</summary>
    private static AsrException Explain(Exception error) => new(
        IsFull(error)
            ? "no more audio can be kept: the disk of the data folder is full"
            : $"audio cannot be kept: the data folder cannot be used ({(error is UnauthorizedAccessException ? "no permission" : $"error {error.HResult & 0xFFFF}")})",
        error);

    /// <summary>ENOSPC, EDQUOT (Linux, macOS); ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL. EFBIG reaches us as an argument out of range.</summary>
    private static bool IsFull(Exception error) => error is ArgumentOutOfRangeException
        || (error is IOException && (error.HResult & 0xFFFF) is var code && (OperatingSystem.IsWindows() ? code is 39 or 112 : code is 28 or 69 or 122));

    private static long End(long samples) => WavWriter.HeaderBytes + (sizeof(short) * samples);

    private void TryCut(long position)
    {
        try
        {
            RandomAccess.SetLength(_file, End(position));
        }
        catch (IOException)
        {
            // What lies behind is overwritten by the next attempt, or is the rest of a chunk that was not acknowledged.
        }
    }

    private void WriteHeader(bool isGrowing)
    {
        Span<byte> header = stackalloc byte[WavWriter.HeaderBytes];
        WavWriter.WriteHeader(header, isGrowing ? sizeof(short) * MaximumSamples : sizeof(short) * Samples, _sampleRateHz);
        RandomAccess.Write(_file, header, 0);
    }
}
