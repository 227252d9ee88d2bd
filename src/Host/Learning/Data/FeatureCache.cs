using System.Buffers.Binary;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>Features on disk, a file an utterance, named after the audio's content and everything that shapes the features.</summary>
/// <remarks>
/// A file appears whole (written aside, then renamed) and carries a checksum, so that a run that was killed goes on where it was and several
/// runs may share the folder; a file that is damaged counts as absent. Nothing is ever evicted: an utterance takes 320 bytes a frame of 10 ms
/// (80 bins, float32), 115 MB an hour of speech, half of that as float16; the folder may be deleted whenever no run uses it. Safe for
/// concurrent calls.
/// </remarks>
internal sealed class FeatureCache
{
    /// <summary>Part of every key: to be raised when decoding, resampling or features change.</summary>
    private const int Version = 1;

    private const int HeaderBytes = 40;

    private static ReadOnlySpan<byte> Magic => "ASRFEAT1"u8;

    private readonly string _folder;
    private readonly FeaturePrecision _precision;
    private readonly string _settings;

    /// <summary>Opens a cache.</summary>
    /// <param name="folder">Its folder, made when missing.</param>
    /// <param name="precision">How new files are kept.</param>
    /// <param name="extractor">What makes the features.</param>
    /// <param name="contextSamples">The longest audio that is padded.</param>
    /// <exception cref="AsrException">The folder cannot be made.</exception>
    public FeatureCache(string folder, FeaturePrecision precision, LogMelExtractor extractor, int contextSamples)
    {
        _folder = folder;
        _precision = precision;
        _settings = string.Create(
            CultureInfo.InvariantCulture,
            $"{Version}|{extractor.FeatureSize}|{extractor.SampleRateHz}|{extractor.HopLength}|{extractor.NormalizesSamples}|{contextSamples}|{precision}");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the cache folder {folder} cannot be made: {error.Message}", error);
        }
    }

    /// <summary>What a cached file says of its utterance.</summary>
    /// <param name="Samples">Length of the audio at 16 kHz.</param>
    /// <param name="ValidFrames">Frames that come from audio.</param>
    public readonly record struct Header(long Samples, int ValidFrames);

    /// <summary>The key of a stretch of a file.</summary>
    /// <param name="contentHash">SHA-256 of the file's bytes.</param>
    /// <param name="startSeconds">Where it begins.</param>
    /// <param name="endSeconds">Where it ends; null for the end of the file.</param>
    public string Key(ReadOnlySpan<byte> contentHash, double startSeconds, double? endSeconds)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(contentHash)}|{startSeconds:R}|{endSeconds:R}|{_settings}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>Reads what a cached file says without its features; null when it is not there or cut off.</summary>
    public Header? TryReadHeader(string key)
    {
        try
        {
            using var stream = new FileStream(PathOf(key), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 0);
            Span<byte> bytes = stackalloc byte[HeaderBytes];
            return stream.ReadAtLeast(bytes, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes && Parse(bytes) is { } found && stream.Length == HeaderBytes + found.PayloadBytes
                ? found.Header
                : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads features; null when they are not there or damaged.</summary>
    public FeatureMatrix? TryRead(string key)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(PathOf(key));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        if (bytes.Length < HeaderBytes || Parse(bytes) is not { } found || bytes.Length != HeaderBytes + found.PayloadBytes
            || !Checksum(bytes).SequenceEqual(bytes.AsSpan(HeaderBytes - 8, 8)))
        {
            return null;
        }

        var values = new float[found.FeatureSize * found.Frames];
        var payload = bytes.AsSpan(HeaderBytes);
        if (found.Precision == FeaturePrecision.Half)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(payload), values);
        }
        else
        {
            MemoryMarshal.Cast<byte, float>(payload).CopyTo(values);
        }

        return new FeatureMatrix(values, found.FeatureSize, found.Frames, found.Header.ValidFrames);
    }

    /// <summary>Keeps features.</summary>
    /// <exception cref="AsrException">The file cannot be written.</exception>
    public void Write(string key, FeatureMatrix features, long samples)
    {
        var bytes = new byte[HeaderBytes + (features.Values.Length * ElementBytes(_precision))];
        Magic.CopyTo(bytes);
        bytes[8] = (byte)_precision;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(10), checked((ushort)features.FeatureSize));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), features.Frames);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), features.ValidFrames);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), samples);
        var payload = bytes.AsSpan(HeaderBytes);
        if (_precision == FeaturePrecision.Half)
        {
            TensorPrimitives.ConvertToHalf(features.Values, MemoryMarshal.Cast<byte, Half>(payload));
        }
        else
        {
            features.Values.CopyTo(MemoryMarshal.Cast<byte, float>(payload));
        }

        Checksum(bytes).CopyTo(bytes.AsSpan(HeaderBytes - 8));

        // No flush to disk: the checksum finds what a power cut leaves, and thousands of flushes take minutes.
        var path = PathOf(key);
        var temporary = $"{path}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            File.Delete(temporary);
            throw new AsrException($"the cache folder {_folder} cannot be written: {error.Message}", error);
        }
    }

    private static int ElementBytes(FeaturePrecision precision) => precision == FeaturePrecision.Half ? 2 : 4;

    /// <summary>Of everything but itself.</summary>
    private static byte[] Checksum(ReadOnlySpan<byte> file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(file[..(HeaderBytes - 8)]);
        hash.AppendData(file[HeaderBytes..]);
        return hash.GetHashAndReset()[..8];
    }

    private static Parsed? Parse(ReadOnlySpan<byte> header)
    {
        if (!header.StartsWith(Magic) || header[8] > (byte)FeaturePrecision.Half)
        {
            return null;
        }

        var precision = (FeaturePrecision)header[8];
        int featureSize = BinaryPrimitives.ReadUInt16LittleEndian(header[10..]);
        var frames = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        var valid = BinaryPrimitives.ReadInt32LittleEndian(header[16..]);
        var payload = (long)featureSize * frames * ElementBytes(precision);
        return frames < 0 || valid < 0 || valid > frames || payload > int.MaxValue
            ? null
            : new Parsed(precision, featureSize, frames, (int)payload, new Header(BinaryPrimitives.ReadInt64LittleEndian(header[24..]), valid));
    }

    private string PathOf(string key) => Path.Combine(_folder, key[..2], key + ".feat");

    private sealed record Parsed(FeaturePrecision Precision, int FeatureSize, int Frames, int PayloadBytes, Header Header);
}
