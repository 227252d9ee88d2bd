namespace AsrPlatform.Onnx.Format;

/// <summary>A model: a graph and the operator sets that its nodes are of (<c>ModelProto</c>).</summary>
public sealed class OnnxModel : OnnxMessage
{
    /// <summary>Version of the file format.</summary>
    public long IrVersion { get; set; }

    /// <summary>The program that wrote it.</summary>
    public string ProducerName { get; set; } = "";

    /// <summary>That program's version.</summary>
    public string ProducerVersion { get; set; } = "";

    /// <summary>What the model is, for people.</summary>
    public string Description { get; set; } = "";

    /// <summary>The graph; null in a file that has none, which <see cref="OnnxFile"/> refuses.</summary>
    public OnnxGraph? Graph { get; set; }

    /// <summary>Operator sets by domain; the empty domain is ONNX's own.</summary>
    public List<OnnxOperatorSet> OperatorSets { get; } = [];

    /// <summary>Operators that the model brings itself, for runtimes that do not have them.</summary>
    public List<OnnxFunction> Functions { get; } = [];

    /// <summary>Free-form texts.</summary>
    public List<OnnxEntry> Metadata { get; } = [];

    internal override string FormatName => "ModelProto";

    internal override void Write(FieldSink fields)
    {
        fields.Integer(1, IrVersion);
        fields.OptionalText(2, ProducerName);
        fields.OptionalText(3, ProducerVersion);
        fields.OptionalText(6, Description);
        if (Graph is not null)
        {
            fields.Message(7, Graph);
        }

        fields.Messages(8, OperatorSets);
        fields.Messages(14, Metadata);
        fields.Messages(25, Functions);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: IrVersion = field.Integer(); break;
            case 2: ProducerName = field.Text(); break;
            case 3: ProducerVersion = field.Text(); break;
            case 6: Description = field.Text(); break;
            case 7: Graph = field.Message(Graph ?? new OnnxGraph()); break;
            case 8: OperatorSets.Add(field.Message(new OnnxOperatorSet())); break;
            case 14: Metadata.Add(field.Message(new OnnxEntry())); break;
            case 25: Functions.Add(field.Message(new OnnxFunction())); break;
            default: field.Skip(); break;
        }
    }
}

/// <summary>A version of a domain's operators (<c>OperatorSetIdProto</c>).</summary>
public sealed class OnnxOperatorSet : OnnxMessage
{
    /// <summary>The domain; empty for ONNX's own operators.</summary>
    public string Domain { get; set; } = "";

    /// <summary>The version.</summary>
    public long Version { get; set; }

    internal override string FormatName => "OperatorSetIdProto";

    internal override void Write(FieldSink fields)
    {
        fields.OptionalText(1, Domain);
        fields.Integer(2, Version);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Domain = field.Text(); break;
            case 2: Version = field.Integer(); break;
            default: field.Skip(); break;
        }
    }
}

/// <summary>A key and its text (<c>StringStringEntryProto</c>).</summary>
public sealed class OnnxEntry : OnnxMessage
{
    /// <summary>The key.</summary>
    public string Key { get; set; } = "";

    /// <summary>The text.</summary>
    public string Value { get; set; } = "";

    internal override string FormatName => "StringStringEntryProto";

    internal override void Write(FieldSink fields)
    {
        fields.Text(1, Key);
        fields.Text(2, Value);
    }

    internal override void Read(FieldReader field)
    {
        switch (field.Number)
        {
            case 1: Key = field.Text(); break;
            case 2: Value = field.Text(); break;
            default: field.Skip(); break;
        }
    }
}
