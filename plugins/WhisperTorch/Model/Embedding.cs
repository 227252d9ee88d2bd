using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Rows of a table.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="weight"><c>[entry, width]</c>.</param>
/// <param name="rows">Who uses which adapter.</param>
internal sealed class Embedding(string name, Tensor weight, AdapterRows rows) : AdaptableLayer(name, weight, bias: null, rows)
{
    /// <inheritdoc />
    public override AdaptableLayerKind Kind => AdaptableLayerKind.Embedding;

    /// <inheritdoc />
    public override Tensor Compute(Tensor input, Tensor weight, Tensor? bias)
    {
        var size = input.shape;
        return weight.index_select(0, input.reshape(-1)).view([.. size, weight.shape[1]]);
    }

    /// <param name="ids"><c>[row]</c>, where the rows are those of the batch one after the other.</param>
    /// <param name="batch">Batch rows in it.</param>
    /// <returns><c>[row, width]</c>.</returns>
    public Tensor Forward(Tensor ids, int batch)
    {
        var width = Weight.shape[1];
        var output = Weight.index_select(0, ids);
        return Adapts ? Apply(ids.view(batch, -1), output.view(batch, -1, width)).view(-1, width) : output;
    }
}
