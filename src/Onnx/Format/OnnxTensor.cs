using System.Runtime.InteropServices;

namespace AsrPlatform.Onnx.Format;

/// <summary>A constant (<c>TensorProto</c>).</summary>
/// <remarks>Whichever of the format's fields the values came in, they are in <see cref="Data"/>.</remarks>
public sealed class OnnxTensor : OnnxMessage
{
    private List<long>? _integers;
    private List<float>? _singles;
    private List<double>? _doubles;

    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Type of the elements.</summary>
    public OnnxElementType ElementType { get; set; }

    /// <summary>Dimensions, outermost first; empty for a scalar.</summary>
    public List<long> Shape { get; } = [];

    /// <summary>The elements; null where they are external and not resolved yet, and for texts.</summary>
    public TensorData? Data { get; set; }

    /// <summary>Where external data lie: <c>location</c>, <c>offset</c>, <c>length</c>. Empty where the data are in the model's own file.</summary>
    public List<OnnxEntry> External { get; } = [];

    internal override string FormatName => "TensorProto";

    /// <summary>A tensor of integers.</summary>
    public static OnnxTensor Of(string name, long[] shape, ReadOnlySpan<long> values) => Make(name, OnnxElementType.Int64, shape, MemoryMarshal.AsBytes(values));

    /// <summary>A tensor of float32.</summary>
    public static OnnxTensor Of(string name, long[] shape, ReadOnlySpan<float> values) => Make(name, OnnxElementType.Float32, shape, MemoryMarshal.AsBytes(values));

    /// <summary>A tensor of float16.</summary>
    public static OnnxTensor Of(string name, long[] shape, ReadOnlySpan<Half> values) => Make(name, OnnxElementType.Float16, shape, MemoryMarshal.AsBytes(values));

    /// <summary>A tensor of bytes that are of the given type.</summary>
    public static OnnxTensor Of(string name, OnnxElementType type, long[] shape, TensorData data)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var tensor = new OnnxTensor { Name = name, ElementType = type, Data = data };
        tensor.Shape.AddRange(shape);
        return tensor;
    }

    internal override void Write(FieldSink fields)
    {
        fields.Integers(1, Shape);
        fields.Integer(2, (int)ElementType);
        fields.OptionalText(8, Name);
        if (External.Count > 0)
        {
            fields.Messages(13, External);
            fields.Integer(14, 1);
        }
        else if (Data is not null)
        {
            fields.Bytes(9, Data);
        }
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: field.Integers(Shape); break;
            case 2: ElementType = (OnnxElementType)field.Integer(); break;
            case 4: field.Singles(_singles ??= []); break;
            case 5:
            case 7:
            case 11: field.Integers(_integers ??= []); break;
            case 8: Name = field.Text(); break;
            case 9: Data = TensorData.Of(field.Bytes()); break;
            case 10: field.Doubles(_doubles ??= []); break;
            case 13: External.Add(field.Message(new OnnxEntry())); break;
            default: field.Skip(); break;
        }
    }

    /// <summary>Moves values that came as numbers into <see cref="Data"/>.</summary>
    internal void PackNumbers()
    {
        if (Data is null && External.Count == 0 && ElementType.SizeBytes() > 0)
        {
            Data = TensorData.Of(ElementType switch
            {
                OnnxElementType.Float32 => Bytes(_singles),
                OnnxElementType.Float64 => Bytes(_doubles),
                OnnxElementType.Int64 or OnnxElementType.UInt64 => Bytes(_integers),
                OnnxElementType.Int32 or OnnxElementType.UInt32 => Narrow(value => (uint)value),
                OnnxElementType.UInt8 or OnnxElementType.Int8 or OnnxElementType.Boolean => Narrow(value => (byte)value),
                _ => Narrow(value => (ushort)value),
            });
        }

        (_integers, _singles, _doubles) = (null, null, null);
    }

    private static OnnxTensor Make(string name, OnnxElementType type, long[] shape, ReadOnlySpan<byte> bytes) => Of(name, type, shape, TensorData.Of(bytes.ToArray()));

    private static byte[] Bytes<T>(List<T>? values)
        where T : unmanaged => MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(values)).ToArray();

    private byte[] Narrow<T>(Func<long, T> convert)
        where T : unmanaged => Bytes(_integers?.ConvertAll(value => convert(value)));
}
