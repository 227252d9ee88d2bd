using System.Text;

namespace AsrPlatform.Whisper.Tests.Training;

/// <summary>
/// A second implementation of TensorBoard's event files, to check the first: reads records with their checksums, and protobuf by its wire
/// types. Nothing is shared with the writer.
/// </summary>
internal static class EventFile
{
    public sealed record Event(double WallTime, long Step, string? FileVersion, IReadOnlyList<(string Tag, float Value)> Scalars, int? SessionStatus);

    public static IReadOnlyList<Event> Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var events = new List<Event>();
        for (var position = 0; position < bytes.Length;)
        {
            var length = BitConverter.ToUInt64(bytes, position);
            Assert.Equal(Mask(Crc32C(bytes[position..(position + 8)])), BitConverter.ToUInt32(bytes, position + 8));
            var data = bytes[(position + 12)..(position + 12 + (int)length)];
            Assert.Equal(Mask(Crc32C(data)), BitConverter.ToUInt32(bytes, position + 12 + (int)length));
            position += 16 + (int)length;
            events.Add(ReadEvent(data));
        }

        return events;
    }

    /// <summary>Bit by bit, with the reversed Castagnoli polynomial.</summary>
    public static uint Crc32C(byte[] data)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
            }
        }

        return ~crc;
    }

    public static uint Mask(uint crc) => unchecked(((crc >> 15) | (crc << 17)) + 0xa282ead8u);

    private static Event ReadEvent(byte[] data)
    {
        var (wallTime, step) = (0.0, 0L);
        string? version = null;
        int? status = null;
        var scalars = new List<(string, float)>();
        foreach (var (field, bytes, number) in Fields(data))
        {
            switch (field)
            {
                case 1: wallTime = BitConverter.ToDouble(bytes); break;
                case 2: step = (long)number; break;
                case 3: version = Encoding.UTF8.GetString(bytes); break;
                case 5: scalars.AddRange(Fields(bytes).Select(value => ReadValue(value.Bytes))); break;
                case 7: status = (int)Fields(bytes).Single(pair => pair.Field == 1).Number; break;
                default: Assert.Fail($"field {field}"); break;
            }
        }

        return new Event(wallTime, step, version, scalars, status);
    }

    private static (string Tag, float Value) ReadValue(byte[] data)
    {
        var fields = Fields(data).ToDictionary(pair => pair.Field);
        return (Encoding.UTF8.GetString(fields[1].Bytes), BitConverter.ToSingle(fields[2].Bytes));
    }

    private static List<(int Field, byte[] Bytes, ulong Number)> Fields(byte[] data)
    {
        var fields = new List<(int, byte[], ulong)>();
        var position = 0;
        ulong Varint()
        {
            ulong value = 0;
            for (var shift = 0; ; shift += 7)
            {
                value |= (ulong)(data[position] & 0x7F) << shift;
                if ((data[position++] & 0x80) == 0)
                {
                    return value;
                }
            }
        }

        while (position < data.Length)
        {
            var key = Varint();
            var field = (int)(key >> 3);
            switch (key & 7)
            {
                case 0:
                    fields.Add((field, [], Varint()));
                    break;
                case 1:
                    fields.Add((field, data[position..(position += 8)], 0));
                    break;
                case 2:
                    var length = (int)Varint();
                    fields.Add((field, data[position..(position += length)], 0));
                    break;
                case 5:
                    fields.Add((field, data[position..(position += 4)], 0));
                    break;
                default:
                    Assert.Fail($"wire type {key & 7}");
                    break;
            }
        }

        return fields;
    }
}
