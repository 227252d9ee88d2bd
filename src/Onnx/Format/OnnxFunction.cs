namespace AsrPlatform.Onnx.Format;

/// <summary>An operator that is made of others (<c>FunctionProto</c>): what a runtime computes where it has none of that name. Files of version 8 and later have them.</summary>
public sealed class OnnxFunction : OnnxMessage
{
    /// <summary>The operator's name.</summary>
    public string Name { get; set; } = "";

    /// <summary>The operator's domain.</summary>
    public string Domain { get; set; } = "";

    /// <summary>Names that the body has for what it takes.</summary>
    public List<string> Inputs { get; } = [];

    /// <summary>Names that the body has for what it makes.</summary>
    public List<string> Outputs { get; } = [];

    /// <summary>The body; each node stands behind those whose outputs it uses.</summary>
    public List<OnnxNode> Nodes { get; } = [];

    /// <summary>Operator sets of the body, by domain.</summary>
    public List<OnnxOperatorSet> OperatorSets { get; } = [];

    internal override string FormatName => "FunctionProto";

    internal override void Write(FieldSink fields)
    {
        fields.Text(1, Name);
        fields.Texts(4, Inputs);
        fields.Texts(5, Outputs);
        fields.Messages(7, Nodes);
        fields.Messages(9, OperatorSets);
        fields.Text(10, Domain);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Name = field.Text(); break;
            case 4: Inputs.Add(field.Text()); break;
            case 5: Outputs.Add(field.Text()); break;
            case 7: Nodes.Add(field.Message(new OnnxNode())); break;
            case 9: OperatorSets.Add(field.Message(new OnnxOperatorSet())); break;
            case 10: Domain = field.Text(); break;
            default: field.Skip(); break;
        }
    }
}
