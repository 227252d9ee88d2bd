using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Host.Data;

/// <summary>A session's WAV file as it stands now, with the header that fits: also of a session that goes on.</summary>
/// <remarks>Not safe for concurrent calls.</remarks>
internal sealed class WavStream : Stream
{
    private readonly SafeFileHandle _file;
    private readonly byte[] _header = new byte[WavWriter.HeaderBytes];
    private long _position;

    private WavStream(SafeFileHandle file, int sampleRateHz)
    {
        _file = file;
        var bytes = Math.Min(Math.Max(0, RandomAccess.GetLength(file) - WavWriter.HeaderBytes), sizeof(short) * SessionAudioFile.MaximumSamples);
        bytes -= bytes % sizeof(short);
        WavWriter.WriteHeader(_header, bytes, sampleRateHz);
        Length = WavWriter.HeaderBytes + bytes;
    }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    /// <summary>Length in bytes; does not grow.</summary>
    public override long Length { get; }

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    /// <summary>Opens a file; null when it is not there.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public static WavStream? Open(string path, int sampleRateHz)
    {
        try
        {
            return new WavStream(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), sampleRateHz);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException("the session's audio cannot be read: see to the data folder", error);
        }
    }

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, Length - _position);
        if (count <= 0)
        {
            return 0;
        }

        if (_position < _header.Length)
        {
            count = Math.Min(count, _header.Length - (int)_position);
            _header.AsSpan((int)_position, count).CopyTo(buffer);
        }
        else
        {
            count = RandomAccess.Read(_file, buffer[..count], _position);
        }

        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }

        base.Dispose(disposing);
    }
}
