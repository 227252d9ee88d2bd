using System.Buffers.Binary;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>A scalar at a step of a run.</summary>
/// <param name="Step">The optimizer step.</param>
/// <param name="Value">May be no number, as a loss may be.</param>
public readonly record struct CurvePoint(long Step, float Value);

/// <summary>Reads the scalars of a run from its TensorBoard event files; see <see cref="TensorBoardWriter"/> for the format.</summary>
public static class TensorBoardReader
{
    private const string Pattern = "events.out.tfevents.*";

    /// <summary>Longest record that is read; those of scalars have some hundred bytes.</summary>
    private const ulong MostBytes = 64 << 20;

    /// <summary>Reads the curves of a run, each in the order of steps.</summary>
    /// <param name="path">
    /// An event file, or a folder that has some, also in folders below, such as the output folder of a training run. They are one run: where
    /// a file says that the run went on from a step, what earlier files have from there on is left out, as TensorBoard does.
    /// </param>
    /// <returns>Points by tag, such as <c>train/loss</c>. A file that ends within a record, as one that is being written may, is read up to it.</returns>
    /// <exception cref="AsrException">There are no event files, or one is broken.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyList<CurvePoint>> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var curves = new Dictionary<string, List<CurvePoint>>(StringComparer.Ordinal);
        try
        {
            foreach (var file in Files(path))
            {
                ReadFile(file, curves);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }

        return curves.ToDictionary(
            pair => pair.Key,
            pair => (IReadOnlyList<CurvePoint>)[.. pair.Value.OrderBy(point => point.Step)],
            StringComparer.Ordinal);
    }

    /// <summary>In the order of their names, which begin with the time.</summary>
    private static string[] Files(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        if (!Directory.Exists(path))
        {
            throw new AsrException($"{path} does not exist: give a run's folder or an event file");
        }

        string[] files = [.. Directory.EnumerateFiles(path, Pattern, SearchOption.AllDirectories).OrderBy(Path.GetFileName, StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new AsrException($"{path} has no TensorBoard event files ({Pattern}): train with --report-to tensorboard");
    }

    private static void ReadFile(string path, Dictionary<string, List<CurvePoint>> curves)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Span<byte> header = stackalloc byte[12];
        Span<byte> footer = stackalloc byte[4];
        for (var number = 1; stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length; number++)
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(header);
            if (TensorBoardWriter.MaskedCrc(header[..8]) != BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) || length > MostBytes)
            {
                throw new AsrException($"{path}: record {number} is broken (its length does not fit its checksum); is this a TensorBoard event file?");
            }

            var record = new byte[length];
            if (stream.ReadAtLeast(record, record.Length, throwOnEndOfStream: false) < record.Length
                || stream.ReadAtLeast(footer, footer.Length, throwOnEndOfStream: false) < footer.Length)
            {
                return;
            }

            if (TensorBoardWriter.MaskedCrc(record) != BinaryPrimitives.ReadUInt32LittleEndian(footer))
            {
                throw new AsrException($"{path}: record {number} is broken (its content does not fit its checksum)");
            }

            try
            {
                ReadEvent(record, curves);
            }
            catch (FormatException error)
            {
                throw new AsrException($"{path}: record {number} is no TensorBoard event: {error.Message}", error);
            }
        }
    }

    /// <summary>Event { step = 2, summary = 5, session_log = 7 }.</summary>
    private static void ReadEvent(ReadOnlySpan<byte> message, Dictionary<string, List<CurvePoint>> curves)
    {
        var step = 0L;
        ReadOnlySpan<byte> summary = [], session = [];
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 2:
                    step = (long)reader.Number;
                    break;
                case 5:
                    summary = reader.Bytes;
                    break;
                case 7:
                    session = reader.Bytes;
                    break;
            }
        }

        for (var reader = new ProtobufReader(session); reader.Next();)
        {
            // SessionLog { status = START }
            if (reader is { Field: 1, Number: 1 })
            {
                foreach (var points in curves.Values)
                {
                    points.RemoveAll(point => point.Step >= step);
                }
            }
        }

        for (var reader = new ProtobufReader(summary); reader.Next();)
        {
            if (reader.Field == 1)
            {
                ReadValue(reader.Bytes, step, curves);
            }
        }
    }

    /// <summary>Summary.Value { tag = 1, simple_value = 2 }; histograms and the like have no simple value.</summary>
    private static void ReadValue(ReadOnlySpan<byte> message, long step, Dictionary<string, List<CurvePoint>> curves)
    {
        string? tag = null;
        float? value = null;
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            if (reader.Field == 1)
            {
                tag = Encoding.UTF8.GetString(reader.Bytes);
            }
            else if (reader is { Field: 2, IsFixed32: true })
            {
                value = BitConverter.UInt32BitsToSingle((uint)reader.Number);
            }
        }

        if (tag is not null && value is { } number)
        {
            if (!curves.TryGetValue(tag, out var points))
            {
                curves.Add(tag, points = []);
            }

            points.Add(new CurvePoint(step, number));
        }
    }

    /// <summary>Goes through the fields of a protobuf message.</summary>
    private ref struct ProtobufReader(ReadOnlySpan<byte> message)
    {
        private ReadOnlySpan<byte> _rest = message;

        public int Field { get; private set; }

        /// <summary>The value of a field that is a number.</summary>
        public ulong Number { get; private set; }

        /// <summary>The value of a field that is text or a message.</summary>
        public ReadOnlySpan<byte> Bytes { get; private set; }

        public bool IsFixed32 { get; private set; }

        public bool Next()
        {
            if (_rest.IsEmpty)
            {
                return false;
            }

            var key = Varint();
            Field = (int)(key >> 3);
            Number = 0;
            Bytes = [];
            IsFixed32 = (key & 7) == 5;
            switch (key & 7)
            {
                case 0:
                    Number = Varint();
                    break;
                case 1:
                    Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                    break;
                case 2:
                    var length = Varint();
                    Bytes = Take(length > int.MaxValue ? throw new FormatException("a field is longer than its message") : (int)length);
                    break;
                case 5:
                    Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                    break;
                default:
                    throw new FormatException($"field {Field} has the unknown wire type {key & 7}");
            }

            return true;
        }

        private ulong Varint()
        {
            var value = 0UL;
            for (var shift = 0; shift < 64; shift += 7)
            {
                var next = Take(1)[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                {
                    return value;
                }
            }

            throw new FormatException("a number has more than 64 bits");
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _rest.Length)
            {
                throw new FormatException("a field is longer than its message");
            }

            var taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }
    }
}
