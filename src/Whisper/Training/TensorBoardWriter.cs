using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>
/// Writes scalars into a TensorBoard event file: records of length, masked CRC-32C of the length, a protobuf <c>Event</c>, and its masked
/// CRC-32C (TensorFlow's TFRecord format; tensorflow/core/util/event.proto). A file that ends within a record reads up to it.
/// </summary>
/// <remarks>Not safe for concurrent calls.</remarks>
public sealed class TensorBoardWriter : IDisposable
{
    /// <summary>TensorFlow's <c>kMaskDelta</c> in crc32c.h.</summary>
    private const uint MaskDelta = 0xA282EAD8;

    private readonly FileStream _stream;
    private readonly TimeProvider _time;
    private readonly ArrayBufferWriter<byte> _event = new();

    private TensorBoardWriter(FileStream stream, TimeProvider time)
    {
        _stream = stream;
        _time = time;
    }

    /// <summary>The event file.</summary>
    public string Path => _stream.Name;

    /// <summary>Starts a new event file in a folder, which is made where it is missing.</summary>
    /// <param name="directory">The run's folder.</param>
    /// <param name="purgeStep">When a run goes on: its first new step. TensorBoard then drops what older files say of it and later ones.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="AsrException">The file cannot be made.</exception>
    public static TensorBoardWriter Create(string directory, int? purgeStep = null, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        time ??= TimeProvider.System;
        try
        {
            Directory.CreateDirectory(directory);
            for (var number = 0; ; number++)
            {
                // TensorBoard reads a run's files in the order of their names: time first, then a number that keeps two of one second apart.
                var name = string.Create(
                    CultureInfo.InvariantCulture,
                    $"events.out.tfevents.{time.GetUtcNow().ToUnixTimeSeconds():0000000000}.{SafeHostName()}.{Environment.ProcessId}.{number}");
                var path = System.IO.Path.Combine(directory, name);
                if (File.Exists(path))
                {
                    continue;
                }

                var writer = new TensorBoardWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read), time);
                writer.Write(step: 0, (3, "brain.Event:2"u8.ToArray()));
                if (purgeStep is { } step)
                {
                    // SessionLog { status = START }
                    writer.Write(step, (7, [0x08, 0x01]));
                }

                return writer;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"TensorBoard's events cannot be written into {directory}: {error.Message}", error);
        }
    }

    /// <summary>Writes the values of a line of the log under transformers' tags: <c>train/loss</c>, <c>eval/wer</c>, … The file is up to date afterwards.</summary>
    /// <exception cref="AsrException">The file cannot be written.</exception>
    public void Write(TrainerLogEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var summary = new ArrayBufferWriter<byte>();
        foreach (var (name, number) in entry.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal).Append(new("epoch", entry.Epoch)))
        {
            var value = new ArrayBufferWriter<byte>();
            WriteBytes(value, 1, Encoding.UTF8.GetBytes(Tag(name)));
            WriteKey(value, 2, wireType: 5);
            BinaryPrimitives.WriteSingleLittleEndian(value.GetSpan(4), (float)number);
            value.Advance(4);
            WriteBytes(summary, 1, value.WrittenSpan);
        }

        try
        {
            Write(entry.Step, (5, summary.WrittenSpan.ToArray()));
        }
        catch (IOException error)
        {
            throw new AsrException($"{Path} cannot be written: {error.Message}", error);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _stream.Dispose();

    /// <summary>CRC-32C, rotated and offset, so that a CRC of data that holds CRCs stays a good one.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return unchecked(BitOperations.RotateRight(~crc, 15) + MaskDelta);
    }

    /// <summary>transformers' <c>rewrite_logs</c>.</summary>
    private static string Tag(string name) => name.StartsWith("eval_", StringComparison.Ordinal) ? $"eval/{name[5..]}" : $"train/{name}";

    private static string SafeHostName() =>
        string.Concat(Environment.MachineName.Select(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' ? character : '-'));

    private void Write(int step, (int Field, byte[] Bytes) content)
    {
        _event.ResetWrittenCount();
        WriteKey(_event, 1, wireType: 1);
        BinaryPrimitives.WriteDoubleLittleEndian(_event.GetSpan(8), _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        _event.Advance(8);
        WriteKey(_event, 2, wireType: 0);
        WriteVarint(_event, (ulong)step);
        WriteBytes(_event, content.Field, content.Bytes);

        var record = new byte[16 + _event.WrittenCount];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)_event.WrittenCount);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        _event.WrittenSpan.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + _event.WrittenCount), MaskedCrc(_event.WrittenSpan));
        _stream.Write(record);
        _stream.Flush();
    }

    private static void WriteBytes(ArrayBufferWriter<byte> writer, int field, ReadOnlySpan<byte> bytes)
    {
        WriteKey(writer, field, wireType: 2);
        WriteVarint(writer, (ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static void WriteKey(ArrayBufferWriter<byte> writer, int field, int wireType) => WriteVarint(writer, (ulong)((field << 3) | wireType));

    private static void WriteVarint(ArrayBufferWriter<byte> writer, ulong value)
    {
        while (value >= 0x80)
        {
            writer.Write([(byte)(value | 0x80)]);
            value >>= 7;
        }

        writer.Write([(byte)value]);
    }
}
