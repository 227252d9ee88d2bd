using AsrPlatform.Onnx.Format;

namespace AsrPlatform.Onnx.Export;

/// <summary>Adds nodes to a graph, each behind those that it uses; values are known by their names.</summary>
/// <remarks>A branch (<see cref="Branch"/>) sees its parent's values, and its constants go into the outermost graph, so that branches share them.</remarks>
internal sealed class GraphBuilder
{
    /// <summary>Domain of ONNX Runtime's own operators.</summary>
    public const string Contributed = "com.microsoft";

    private readonly GraphBuilder _root;
    private readonly string _prefix;
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public GraphBuilder(string name)
    {
        _root = this;
        _prefix = "";
        Graph = new OnnxGraph { Name = name };
    }

    private GraphBuilder(GraphBuilder parent, string name)
    {
        _root = parent._root;
        _prefix = $"{parent._prefix}/{name}";
        Graph = new OnnxGraph { Name = name };
    }

    public OnnxGraph Graph { get; }

    /// <summary>The outermost graph.</summary>
    public GraphBuilder Root => _root;

    /// <summary>Goes before the names of nodes and values, so that they say where they belong.</summary>
    public string Scope { get; set; } = "";

    /// <summary>A branch of an <c>If</c>.</summary>
    public GraphBuilder Branch(string name) => new(this, name);

    /// <summary>Declares an input and returns its name.</summary>
    public string Input(string name, OnnxElementType type, params OnnxDimension[] shape)
    {
        Graph.Inputs.Add(new OnnxValueInfo { Name = name, ElementType = type, Shape = [.. shape] });
        return name;
    }

    /// <summary>Declares a value as an output under a name of its own.</summary>
    public void Output(string value, string name, OnnxElementType type, params OnnxDimension[] shape)
    {
        Rename(value, name);
        Graph.Outputs.Add(new OnnxValueInfo { Name = name, ElementType = type, Shape = [.. shape] });
    }

    /// <summary>Declares a branch's output: its type alone, since branches differ in their shapes.</summary>
    public void BranchOutput(string value, OnnxElementType type) => Graph.Outputs.Add(new OnnxValueInfo { Name = value, ElementType = type });

    /// <summary>An operation of one output.</summary>
    public string Add(string type, string[] inputs, params OnnxAttribute[] attributes) => Add("", type, inputs, 1, attributes)[0];

    /// <summary>An operation of ONNX Runtime's own with one output.</summary>
    public string AddContributed(string type, string[] inputs, params OnnxAttribute[] attributes) => Add(Contributed, type, inputs, 1, attributes)[0];

    /// <summary>An operation of several outputs.</summary>
    public string[] Add(string domain, string type, string[] inputs, int outputs, params OnnxAttribute[] attributes)
    {
        var path = $"{_prefix}/{Scope}{(Scope.Length > 0 ? "/" : "")}{type}";
        var count = _counts[path] = _counts.GetValueOrDefault(path) + 1;
        var name = count == 1 ? path : $"{path}_{count}";
        string[] names = outputs == 1 ? [name] : [.. Enumerable.Range(0, outputs).Select(i => $"{name}:{i}")];
        var node = new OnnxNode { Name = name, OperatorType = type, Domain = domain };
        node.Inputs.AddRange(inputs);
        node.Outputs.AddRange(names);
        node.Attributes.AddRange(attributes);
        Graph.Nodes.Add(node);
        return names;
    }

    /// <summary>A constant under its name; made once.</summary>
    public string Constant(string name, Func<OnnxTensor> make)
    {
        if (_root._constants.Add(name))
        {
            var tensor = make();
            tensor.Name = name;
            _root.Graph.Initializers.Add(tensor);
        }

        return name;
    }

    /// <summary>A vector of integers.</summary>
    public string Vector(params long[] values) =>
        Constant($"int64[{string.Join(',', values)}]", () => OnnxTensor.Of("", [values.Length], values));

    /// <summary>An integer.</summary>
    public string Scalar(long value) => Constant($"int64({value})", () => OnnxTensor.Of("", [], [value]));

    /// <summary>A number of a floating type.</summary>
    public string Scalar(float value, OnnxElementType type) => Constant(
        FormattableString.Invariant($"{type}({value:r})"),
        () => type == OnnxElementType.Float16 ? OnnxTensor.Of("", [], [(Half)value]) : OnnxTensor.Of("", [], [value]));

    /// <summary>A value in another type.</summary>
    public string Cast(string value, OnnxElementType type) => Add("Cast", [value], OnnxAttribute.Of("to", (long)type));

    /// <summary>A value in another shape; 0 keeps a dimension, −1 takes what is left.</summary>
    public string Reshape(string value, params long[] shape) => Add("Reshape", [value, Vector(shape)]);

    /// <summary>A value with its dimensions in another order.</summary>
    public string Transpose(string value, params long[] order) => Add("Transpose", [value], OnnxAttribute.Of("perm", order));

    /// <summary>The size of one dimension, as a vector of one.</summary>
    public string Size(string value, int axis) => Add("Shape", [value], OnnxAttribute.Of("start", (long)axis), OnnxAttribute.Of("end", axis + 1L));

    /// <summary>A vector of one as a scalar.</summary>
    public string ToScalar(string vector) => Add("Squeeze", [vector, Vector(0)]);

    private void Rename(string value, string name)
    {
        foreach (var node in Graph.Nodes)
        {
            Replace(node.Inputs, value, name);
            Replace(node.Outputs, value, name);
        }
    }

    private static void Replace(List<string> names, string value, string name)
    {
        for (var i = 0; i < names.Count; i++)
        {
            if (names[i] == value)
            {
                names[i] = name;
            }
        }
    }
}
