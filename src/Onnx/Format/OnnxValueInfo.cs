namespace AsrPlatform.Onnx.Format;

/// <summary>A dimension: a size, or the name of one that is known when the graph runs (<c>TensorShapeProto.Dimension</c>).</summary>
/// <param name="Size">The size; null where it is not fixed.</param>
/// <param name="Symbol">The name; null where it has none.</param>
public readonly record struct OnnxDimension(long? Size, string? Symbol)
{
    /// <summary>A fixed size.</summary>
    public static implicit operator OnnxDimension(long size) => new(size, null);

    /// <summary>A size that has a name.</summary>
    public static implicit operator OnnxDimension(string symbol) => new(null, symbol);

    /// <inheritdoc />
    public override string ToString() => Symbol ?? Size?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?";
}

/// <summary>A graph's input or output (<c>ValueInfoProto</c>).</summary>
public sealed class OnnxValueInfo : OnnxMessage
{
    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Type of the elements; <see cref="OnnxElementType.Undefined"/> for what is no tensor.</summary>
    public OnnxElementType ElementType { get; set; }

    /// <summary>The dimensions; null where the file says nothing about them.</summary>
    public List<OnnxDimension>? Shape { get; set; }

    internal override string FormatName => "ValueInfoProto";

    internal override void Write(FieldSink fields)
    {
        fields.Text(1, Name);
        fields.Message(2, new TypeMessage(this));
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Name = field.Text(); break;
            case 2: field.Message(new TypeMessage(this)); break;
            default: field.Skip(); break;
        }
    }

    // The format nests type, tensor type, shape and dimension; here they are one.
    private sealed class TypeMessage(OnnxValueInfo owner) : OnnxMessage
    {
        internal override string FormatName => "TypeProto";

        internal override void Write(FieldSink fields) => fields.Message(1, new TensorTypeMessage(owner));

        internal override void Read(FieldReader field)
        {
            if (field.Number == 1)
            {
                field.Message(new TensorTypeMessage(owner));
            }
            else
            {
                field.Skip();
            }
        }
    }

    private sealed class TensorTypeMessage(OnnxValueInfo owner) : OnnxMessage
    {
        internal override string FormatName => "TypeProto.Tensor";

        internal override void Write(FieldSink fields)
        {
            fields.Integer(1, (int)owner.ElementType);
            if (owner.Shape is { } shape)
            {
                fields.Message(2, new ShapeMessage(shape));
            }
        }

        internal override void Read(FieldReader field)
        {
            switch (field.Number)
            {
                case 1: owner.ElementType = (OnnxElementType)field.Integer(); break;
                case 2: field.Message(new ShapeMessage(owner.Shape ??= [])); break;
                default: field.Skip(); break;
            }
        }
    }

    private sealed class ShapeMessage(List<OnnxDimension> shape) : OnnxMessage
    {
        internal override string FormatName => "TensorShapeProto";

        internal override void Write(FieldSink fields) => fields.Messages(1, shape.Select(dimension => new DimensionMessage { Value = dimension }));

        internal override void Read(FieldReader field)
        {
            if (field.Number == 1)
            {
                shape.Add(field.Message(new DimensionMessage()).Value);
            }
            else
            {
                field.Skip();
            }
        }
    }

    private sealed class DimensionMessage : OnnxMessage
    {
        public OnnxDimension Value { get; set; }

        internal override string FormatName => "TensorShapeProto.Dimension";

        internal override void Write(FieldSink fields)
        {
            if (Value.Symbol is { } symbol)
            {
                fields.Text(2, symbol);
            }
            else if (Value.Size is { } size)
            {
                fields.Integer(1, size);
            }
        }

        internal override void Read(FieldReader field)
        {
            switch (field.Number)
            {
                case 1: Value = field.Integer(); break;
                case 2: Value = field.Text(); break;
                default: field.Skip(); break;
            }
        }
    }
}
