using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Audio;

/// <summary>An audio file of any format as 16 kHz mono, streamed: its length does not matter.</summary>
/// <remarks>
/// WAV (PCM of 8 to 32 bits, float, A-law, µ-law; RF64) is read directly, everything else through ffmpeg. Channels are averaged, other
/// rates converted by <see cref="Resampler"/>. Safe for concurrent calls; a reader belongs to one thread and is disposed by who opened it.
/// </remarks>
public sealed class AudioFile : IAudioSource, IDisposable
{
    /// <summary>The rate of all readers: what Whisper takes.</summary>
    public const int TargetRateHz = 16000;

    private readonly string _path;
    private readonly bool _isTemporary;
    private readonly string? _ffmpeg;
    private IAudioReader? _firstReader;
    private volatile string? _warning;

    private AudioFile(string path, string name, bool isTemporary, string ffmpeg)
    {
        _path = path;
        Name = name;
        _isTemporary = isTemporary;
        using var stream = OpenStream();
        if (stream.Length == 0)
        {
            throw new AsrException($"{name} is empty.");
        }

        Span<byte> start = stackalloc byte[12];
        var length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (WavHeader.Begins(start[..length]) && WavHeader.Read(stream, name) is { } header)
        {
            _warning = header.Warning;
            LengthSamples = Resampler.OutputLength(header.DataBytes.GetValueOrDefault() / header.FrameBytes, header.SampleRateHz, TargetRateHz);
            if (LengthSamples == 0)
            {
                throw new AsrException($"{name} has no samples.");
            }
        }
        else
        {
            // Starting ffmpeg is slow: the process that shows whether it can decode the file serves the first reader.
            _ffmpeg = ffmpeg;
            _firstReader = OpenDecoder();
        }
    }

    /// <summary>What to call it in messages: its path, or “standard input”.</summary>
    public string Name { get; }

    /// <inheritdoc />
    public int SampleRateHz => TargetRateHz;

    /// <inheritdoc />
    /// <remarks>Null for what ffmpeg decodes.</remarks>
    public long? LengthSamples { get; }

    /// <summary>
    /// What is wrong with a file that can be used all the same, for the user; null when nothing is. Known at once for a WAV file that is
    /// cut off; for other formats after a reader came to the end.
    /// </summary>
    public string? Warning => _warning;

    /// <summary>The temporary copy of what can be read just once; null for a file.</summary>
    internal string? SpoolPath => _isTemporary ? _path : null;

    /// <summary>Opens a file. The caller disposes it.</summary>
    /// <param name="path">The file; <c>-</c> stands for standard input, which is copied to a temporary file first.</param>
    /// <exception cref="AsrException">There is no such file, it is empty, has no samples, or is no audio.</exception>
    public static AudioFile Open(string path) => Open(path, Console.OpenStandardInput);

    /// <inheritdoc />
    public IAudioReader OpenReader() => Interlocked.Exchange(ref _firstReader, null) ?? (_ffmpeg is null ? OpenWav() : OpenDecoder());

    /// <summary>Forgets the file; deletes a temporary one. Readers that are open are not closed.</summary>
    public void Dispose()
    {
        Interlocked.Exchange(ref _firstReader, null)?.Dispose();
        if (_isTemporary)
        {
            File.Delete(_path);
        }
    }

    /// <summary>Opens a file under another name for messages. The caller disposes it.</summary>
    internal static AudioFile Open(string path, string name) => new(path, name, isTemporary: false, "ffmpeg");

    /// <summary>Copies a stream to a temporary file and opens that; the stream stays the caller's, who disposes the file.</summary>
    /// <exception cref="AsrException">It cannot be read, is empty, or is no audio.</exception>
    internal static AudioFile Open(Stream stream, string name) => Spool(stream, name, "ffmpeg");

    internal static AudioFile Open(string path, Func<Stream> standardInput, string ffmpeg = "ffmpeg")
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path == "-")
        {
            using var input = standardInput();
            return Spool(input, "standard input", ffmpeg);
        }

        if (Directory.Exists(path))
        {
            throw new AsrException($"{path} is a folder: give an audio file.");
        }

        try
        {
            // A pipe (as of a shell's <(…)) can be read just once and is treated as standard input is.
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
            return stream.CanSeek ? new AudioFile(path, path, isTemporary: false, ffmpeg) : Spool(stream, path, ffmpeg);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AsrException($"{path} does not exist.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    private static AudioFile Spool(Stream input, string name, string ffmpeg)
    {
        var temporary = Path.GetTempFileName();
        try
        {
            using (var copy = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                input.CopyTo(copy);
            }

            return new AudioFile(temporary, name, isTemporary: true, ffmpeg);
        }
        catch (Exception error)
        {
            File.Delete(temporary);
            if (error is IOException)
            {
                throw new AsrException($"{name} cannot be read: {error.Message}", error);
            }

            throw;
        }
    }

    private FileStream OpenStream() => new(_path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);

    private IAudioReader OpenWav()
    {
        try
        {
            return Open(OpenStream());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{Name} cannot be read: {error.Message}", error);
        }
    }

    private IAudioReader OpenDecoder() => Open(FfmpegStream.Open(_path, Name, warning => _warning = warning, _ffmpeg!));

    private IAudioReader Open(Stream stream)
    {
        try
        {
            var header = WavHeader.Read(stream, Name) ?? throw new AsrException($"{Name} changed while it was read.");
            var reader = new PcmReader(stream, header, Name);
            if (!reader.HasFrames())
            {
                throw new AsrException($"{Name} has no samples.");
            }

            return header.SampleRateHz == TargetRateHz ? reader : new ResamplingReader(reader, header.SampleRateHz, TargetRateHz);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }
}
