namespace AsrPlatform.Onnx.Format;

/// <summary>Nodes in the order of the computation, and their inputs, outputs and weights (<c>GraphProto</c>).</summary>
public sealed class OnnxGraph : OnnxMessage
{
    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>The nodes; each stands behind those whose outputs it uses.</summary>
    public List<OnnxNode> Nodes { get; } = [];

    /// <summary>The weights.</summary>
    public List<OnnxTensor> Initializers { get; } = [];

    /// <summary>What is fed; none in the branches of an <c>If</c>.</summary>
    public List<OnnxValueInfo> Inputs { get; } = [];

    /// <summary>What comes out.</summary>
    public List<OnnxValueInfo> Outputs { get; } = [];

    internal override string FormatName => "GraphProto";

    internal override void Write(FieldSink fields)
    {
        fields.Messages(1, Nodes);
        fields.Text(2, Name);
        fields.Messages(5, Initializers);
        fields.Messages(11, Inputs);
        fields.Messages(12, Outputs);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Nodes.Add(field.Message(new OnnxNode())); break;
            case 2: Name = field.Text(); break;
            case 5: Initializers.Add(field.Message(new OnnxTensor())); break;
            case 11: Inputs.Add(field.Message(new OnnxValueInfo())); break;
            case 12: Outputs.Add(field.Message(new OnnxValueInfo())); break;
            default: field.Skip(); break;
        }
    }
}

/// <summary>One operation (<c>NodeProto</c>).</summary>
public sealed class OnnxNode : OnnxMessage
{
    /// <summary>Its name, for people and profilers.</summary>
    public string Name { get; set; } = "";

    /// <summary>The operator.</summary>
    public string OperatorType { get; set; } = "";

    /// <summary>The operator's domain; empty for ONNX's own.</summary>
    public string Domain { get; set; } = "";

    /// <summary>Names of the values that it takes; an empty name leaves an optional one out.</summary>
    public List<string> Inputs { get; } = [];

    /// <summary>Names of the values that it makes.</summary>
    public List<string> Outputs { get; } = [];

    /// <summary>Attributes.</summary>
    public List<OnnxAttribute> Attributes { get; } = [];

    internal override string FormatName => "NodeProto";

    internal override void Write(FieldSink fields)
    {
        fields.Texts(1, Inputs);
        fields.Texts(2, Outputs);
        fields.OptionalText(3, Name);
        fields.Text(4, OperatorType);
        fields.Messages(5, Attributes);
        fields.OptionalText(7, Domain);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Inputs.Add(field.Text()); break;
            case 2: Outputs.Add(field.Text()); break;
            case 3: Name = field.Text(); break;
            case 4: OperatorType = field.Text(); break;
            case 5: Attributes.Add(field.Message(new OnnxAttribute())); break;
            case 7: Domain = field.Text(); break;
            default: field.Skip(); break;
        }
    }
}
