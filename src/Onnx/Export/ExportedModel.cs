using AsrPlatform.Onnx.Format;

namespace AsrPlatform.Onnx.Export;

/// <summary>Makes a model of a graph.</summary>
internal static class ExportedModel
{
    public static OnnxModel Of(GraphBuilder graph, int formatVersion, int operatorSet, bool contributed)
    {
        var model = new OnnxModel
        {
            IrVersion = formatVersion,
            ProducerName = "AsrPlatform",
            ProducerVersion = typeof(ExportedModel).Assembly.GetName().Version!.ToString(3),
            Graph = graph.Graph,
        };
        model.OperatorSets.Add(new OnnxOperatorSet { Version = operatorSet });
        if (contributed)
        {
            model.OperatorSets.Add(new OnnxOperatorSet { Domain = GraphBuilder.Contributed, Version = 1 });
        }

        return model;
    }
}
