using System.Text;

namespace AsrPlatform.OnnxBackend.Tests;

/// <summary>A protobuf message as its fields, read and written without knowing what they mean; enough to change a graph.</summary>
internal sealed class OnnxMessage
{
    // Field numbers of onnx.proto.
    public const int ModelGraph = 7;
    public const int ModelOpset = 8;
    public const int OpsetVersion = 2;
    public const int GraphNode = 1;
    public const int GraphInitializer = 5;
    public const int GraphInput = 11;
    public const int GraphOutput = 12;
    public const int NodeInput = 1;
    public const int NodeOutput = 2;
    public const int NodeOperator = 4;
    public const int NodeAttribute = 5;
    public const int AttributeGraph = 6;
    public const int TensorName = 8;
    public const int TensorRawData = 9;
    public const int TensorExternalData = 13;
    public const int TensorDataLocation = 14;
    public const int ValueName = 1;
    public const int ValueType = 2;

    /// <summary>The fields in their order: a number, or the bytes of a text, tensor or message.</summary>
    public List<(int Field, bool IsFixed, ulong Number, byte[]? Bytes)> Fields { get; } = [];

    public static OnnxMessage Read(ReadOnlySpan<byte> bytes)
    {
        var message = new OnnxMessage();
        while (!bytes.IsEmpty)
        {
            var tag = Varint(ref bytes);
            switch (tag & 7)
            {
                case 0:
                    message.Fields.Add(((int)(tag >> 3), false, Varint(ref bytes), null));
                    break;
                case 2:
                    var length = (int)Varint(ref bytes);
                    message.Fields.Add(((int)(tag >> 3), false, 0, bytes[..length].ToArray()));
                    bytes = bytes[length..];
                    break;
                case 5:
                    message.Fields.Add(((int)(tag >> 3), true, BitConverter.ToUInt32(bytes), null));
                    bytes = bytes[4..];
                    break;
                default:
                    throw new NotSupportedException($"Wire type {tag & 7}.");
            }
        }

        return message;
    }

    public byte[] ToArray()
    {
        var bytes = new List<byte>();
        foreach (var (field, isFixed, number, content) in Fields)
        {
            Varint(bytes, ((ulong)field << 3) | (content is not null ? 2u : isFixed ? 5u : 0u));
            if (content is not null)
            {
                Varint(bytes, (ulong)content.Length);
                bytes.AddRange(content);
            }
            else if (isFixed)
            {
                bytes.AddRange(BitConverter.GetBytes((uint)number));
            }
            else
            {
                Varint(bytes, number);
            }
        }

        return [.. bytes];
    }

    public OnnxMessage With(int field, byte[] content)
    {
        Fields.Add((field, false, 0, content));
        return this;
    }

    public OnnxMessage With(int field, string text) => With(field, Encoding.UTF8.GetBytes(text));

    public OnnxMessage With(int field, ulong number)
    {
        Fields.Add((field, false, number, null));
        return this;
    }

    public string Text(int field) => Encoding.UTF8.GetString(Fields.First(one => one.Field == field).Bytes!);

    /// <summary>Replaces the messages of a field.</summary>
    public void Change(int field, Func<OnnxMessage, OnnxMessage?> change)
    {
        for (var i = 0; i < Fields.Count; i++)
        {
            if (Fields[i].Field == field && Fields[i].Bytes is { } content)
            {
                if (change(Read(content)) is { } changed)
                {
                    Fields[i] = (field, false, 0, changed.ToArray());
                }
                else
                {
                    Fields.RemoveAt(i--);
                }
            }
        }
    }

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        var i = 0;
        for (; bytes[i] >= 0x80; i++)
        {
            value |= (ulong)(bytes[i] & 0x7f) << (7 * i);
        }

        value |= (ulong)bytes[i] << (7 * i);
        bytes = bytes[(i + 1)..];
        return value;
    }

    private static void Varint(List<byte> bytes, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
    }
}
