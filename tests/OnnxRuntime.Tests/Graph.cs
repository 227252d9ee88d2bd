using System.Buffers.Binary;
using System.Text;

namespace AsrPlatform.OnnxRuntime.Tests;

/// <summary>Builds ONNX files of a few nodes by the message numbers of the public format.</summary>
internal sealed class Graph
{
    private readonly Message _graph = new();
    private readonly Message _metadata = new();

    /// <summary>One node; <paramref name="outputs"/> may be several.</summary>
    public Graph Node(string operation, string[] inputs, params string[] outputs)
    {
        var node = new Message();
        foreach (var input in inputs)
        {
            node.Text(1, input);
        }
        foreach (var output in outputs)
        {
            node.Text(2, output);
        }
        _graph.Nested(1, node.Text(4, operation));
        return this;
    }

    /// <summary>A float32 weight in the file.</summary>
    public Graph Weight(string name, long[] shape, float[] values)
    {
        var tensor = new Message();
        foreach (var dimension in shape)
        {
            tensor.Number(1, dimension);
        }
        var bytes = new byte[values.Length * 4];
        for (var i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * 4), values[i]);
        }
        _graph.Nested(5, tensor.Number(2, (int)TensorElementType.Float).Text(8, name).Bytes(9, bytes));
        return this;
    }

    /// <summary>An input; a dimension is a number or a name.</summary>
    public Graph Input(string name, TensorElementType type, params object[] shape) => Port(11, name, type, shape);

    public Graph Output(string name, TensorElementType type, params object[] shape) => Port(12, name, type, shape);

    public Graph Metadata(string key, string value)
    {
        _metadata.Nested(14, new Message().Text(1, key).Text(2, value));
        return this;
    }

    /// <summary>The file, of opset 20.</summary>
    public byte[] ToModel() => new Message()
        .Number(1, 10).Text(2, "tests").Text(4, "asr.tests").Number(5, 7).Text(6, "A model of the tests")
        .Nested(7, _graph.Text(2, "small").Text(10, "A graph of the tests"))
        .Nested(8, new Message().Text(1, "").Number(2, 20)).Append(_metadata).ToArray();

    /// <summary><c>y = x + 1</c> over float32 [n, 3].</summary>
    public static Graph AddOne() => new Graph()
        .Weight("one", [1], [1])
        .Node("Add", ["x", "one"], "y")
        .Input("x", TensorElementType.Float, "n", 3L)
        .Output("y", TensorElementType.Float, "n", 3L);

    private Graph Port(int field, string name, TensorElementType type, object[] shape)
    {
        var dimensions = new Message();
        foreach (var dimension in shape)
        {
            dimensions.Nested(1, dimension is string symbol ? new Message().Text(2, symbol) : new Message().Number(1, (long)dimension));
        }
        _graph.Nested(field, new Message().Text(1, name)
            .Nested(2, new Message().Nested(1, new Message().Number(1, (int)type).Nested(2, dimensions))));
        return this;
    }

    private sealed class Message
    {
        private readonly List<byte> _bytes = [];

        public Message Number(int field, long value) => Varint((ulong)field << 3).Varint((ulong)value);

        public Message Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

        public Message Nested(int field, Message value) => Bytes(field, value.ToArray());

        public Message Bytes(int field, byte[] value)
        {
            Varint(((ulong)field << 3) | 2).Varint((ulong)value.Length);
            _bytes.AddRange(value);
            return this;
        }

        public Message Append(Message other)
        {
            _bytes.AddRange(other._bytes);
            return this;
        }

        public byte[] ToArray() => [.. _bytes];

        private Message Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
            {
                _bytes.Add((byte)(value | 0x80));
            }
            _bytes.Add((byte)value);
            return this;
        }
    }
}
