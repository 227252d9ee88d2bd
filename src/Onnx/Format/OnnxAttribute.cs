using System.Text;

namespace AsrPlatform.Onnx.Format;

/// <summary>What an attribute holds (<c>AttributeProto.AttributeType</c>).</summary>
public enum OnnxAttributeKind
{
    /// <summary>Old files leave it out.</summary>
    Undefined = 0,

    /// <summary>A number.</summary>
    Single = 1,

    /// <summary>An integer.</summary>
    Integer = 2,

    /// <summary>A text.</summary>
    Text = 3,

    /// <summary>A tensor.</summary>
    Tensor = 4,

    /// <summary>A graph: a branch or a loop's body.</summary>
    Graph = 5,

    /// <summary>Numbers.</summary>
    Singles = 6,

    /// <summary>Integers.</summary>
    Integers = 7,

    /// <summary>Texts.</summary>
    Texts = 8,
}

/// <summary>A named constant of a node (<c>AttributeProto</c>).</summary>
public sealed class OnnxAttribute : OnnxMessage
{
    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Which of the values holds; kinds that are not listed are read as <see cref="OnnxAttributeKind.Undefined"/> and lose their value.</summary>
    public OnnxAttributeKind Kind { get; set; }

    /// <summary>The number.</summary>
    public float SingleValue { get; set; }

    /// <summary>The integer.</summary>
    public long IntegerValue { get; set; }

    /// <summary>The text.</summary>
    public string TextValue { get; set; } = "";

    /// <summary>The tensor.</summary>
    public OnnxTensor? TensorValue { get; set; }

    /// <summary>The graph.</summary>
    public OnnxGraph? GraphValue { get; set; }

    /// <summary>The numbers.</summary>
    public List<float> SingleValues { get; } = [];

    /// <summary>The integers.</summary>
    public List<long> IntegerValues { get; } = [];

    /// <summary>The texts.</summary>
    public List<string> TextValues { get; } = [];

    internal override string FormatName => "AttributeProto";

    /// <summary>A number.</summary>
    public static OnnxAttribute Of(string name, float value) => new() { Name = name, Kind = OnnxAttributeKind.Single, SingleValue = value };

    /// <summary>An integer.</summary>
    public static OnnxAttribute Of(string name, long value) => new() { Name = name, Kind = OnnxAttributeKind.Integer, IntegerValue = value };

    /// <summary>Integers.</summary>
    public static OnnxAttribute Of(string name, params long[] values)
    {
        var attribute = new OnnxAttribute { Name = name, Kind = OnnxAttributeKind.Integers };
        attribute.IntegerValues.AddRange(values);
        return attribute;
    }

    /// <summary>A tensor.</summary>
    public static OnnxAttribute Of(string name, OnnxTensor value) => new() { Name = name, Kind = OnnxAttributeKind.Tensor, TensorValue = value };

    /// <summary>A graph.</summary>
    public static OnnxAttribute Of(string name, OnnxGraph value) => new() { Name = name, Kind = OnnxAttributeKind.Graph, GraphValue = value };

    internal override void Write(FieldSink fields)
    {
        fields.Text(1, Name);
        switch (Kind)
        {
            case OnnxAttributeKind.Single:
                fields.Single(2, SingleValue);
                break;
            case OnnxAttributeKind.Integer:
                fields.Integer(3, IntegerValue);
                break;
            case OnnxAttributeKind.Text:
                fields.Bytes(4, TensorData.Of(Encoding.UTF8.GetBytes(TextValue)));
                break;
            case OnnxAttributeKind.Tensor when TensorValue is not null:
                fields.Message(5, TensorValue);
                break;
            case OnnxAttributeKind.Graph when GraphValue is not null:
                fields.Message(6, GraphValue);
                break;
            case OnnxAttributeKind.Singles:
                foreach (var value in SingleValues)
                {
                    fields.Single(7, value);
                }

                break;
            case OnnxAttributeKind.Integers:
                fields.Integers(8, IntegerValues);
                break;
            case OnnxAttributeKind.Texts:
                foreach (var value in TextValues)
                {
                    fields.Bytes(9, TensorData.Of(Encoding.UTF8.GetBytes(value)));
                }

                break;
            default:
                throw new InvalidOperationException($"The attribute {Name} has no value of kind {Kind}.");
        }

        fields.Integer(20, (int)Kind);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Name = field.Text(); break;
            case 2: SingleValue = field.Single(); break;
            case 3: IntegerValue = field.Integer(); break;
            case 4: TextValue = Encoding.UTF8.GetString(field.Bytes().Span); break;
            case 5: TensorValue = field.Message(TensorValue ?? new OnnxTensor()); break;
            case 6: GraphValue = field.Message(GraphValue ?? new OnnxGraph()); break;
            case 7: field.Singles(SingleValues); break;
            case 8: field.Integers(IntegerValues); break;
            case 9: TextValues.Add(Encoding.UTF8.GetString(field.Bytes().Span)); break;
            case 20:
                var kind = field.Integer();
                Kind = kind is >= 0 and <= (int)OnnxAttributeKind.Texts ? (OnnxAttributeKind)kind : OnnxAttributeKind.Undefined;
                break;
            default: field.Skip(); break;
        }
    }
}
