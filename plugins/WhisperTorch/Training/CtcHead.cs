using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>A projection of encoder states onto symbols, with the CTC loss (Graves et al. 2006). It helps training from scratch.</summary>
/// <remarks>Symbol 0 is the blank. Not part of the model: it is kept in training checkpoints only.</remarks>
internal sealed class CtcHead : IDisposable
{
    public const string WeightName = "ctc_head.weight";
    public const string BiasName = "ctc_head.bias";

    /// <summary>
    /// Speech has some four positions of 20 ms a character. A row with fewer characters than one in eight positions is mostly silence: it counts
    /// as if it had that many, or a few silent rows, whose every position adds to the loss, would outweigh all speech of a batch.
    /// </summary>
    private const int PositionsPerSymbol = 8;

    private readonly Tensor _weight;
    private readonly Tensor _bias;

    /// <param name="width">Width of the encoder's states.</param>
    /// <param name="symbols">Symbols with the blank, at least 2.</param>
    /// <param name="deviation">Standard deviation of the weights, drawn from LibTorch's generator.</param>
    /// <param name="device">The model's device.</param>
    public CtcHead(long width, int symbols, double deviation, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(symbols, 2);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Symbols = symbols;
        _weight = empty(symbols, width).normal_(0, deviation).to(device).DetachFromDisposeScope();
        _bias = zeros(symbols).to(device).DetachFromDisposeScope();
        Parameters =
        [
            new ParameterBlock(_weight, [new ParameterSlice(WeightName, _weight, 0, symbols)]),
            new ParameterBlock(_bias, [new ParameterSlice(BiasName, _bias, 0, symbols)]),
        ];
    }

    /// <summary>Symbols with the blank.</summary>
    public int Symbols { get; }

    public IReadOnlyList<ParameterBlock> Parameters { get; }

    /// <summary>
    /// The sum over rows of loss / max(1, symbols of the row, positions of the row / <see cref="PositionsPerSymbol"/>). Rows that are too
    /// short for their symbols count 0.
    /// </summary>
    /// <param name="states">Encoder states, <c>[batch, position, width]</c>.</param>
    /// <param name="positions">Positions of each row that are not padding.</param>
    /// <param name="targets">Symbols of each row, from 1.</param>
    /// <param name="mode">How to compute.</param>
    /// <param name="rowWeights">What each row's part of the sum is multiplied by; empty: 1.</param>
    public Tensor Loss(Tensor states, ReadOnlySpan<int> positions, IReadOnlyList<int[]> targets, ForwardMode mode, IReadOnlyList<double> rowWeights)
    {
        var logits = nn.functional.linear(mode.ForProduct(states), mode.ForProduct(_weight), mode.ForProduct(_bias));
        var logProbabilities = logits.to(ScalarType.Float32).log_softmax(-1).transpose(0, 1); // [position, batch, symbol]
        return Loss(logProbabilities, positions, targets, PositionsPerSymbol, rowWeights);
    }

    /// <summary>As the other, of logarithms of probabilities <c>[position, batch, symbol]</c>; the positions count only where a number of them a symbol is given.</summary>
    public static Tensor Loss(
        Tensor logProbabilities, ReadOnlySpan<int> positions, IReadOnlyList<int[]> targets, int positionsPerSymbol = int.MaxValue, IReadOnlyList<double>? rowWeights = null)
    {
        var longest = Math.Max(1, targets.Max(row => row.Length));
        var padded = new long[targets.Count * longest];
        var weights = new float[targets.Count];
        for (var row = 0; row < targets.Count; row++)
        {
            for (var i = 0; i < targets[row].Length; i++)
            {
                padded[(row * longest) + i] = targets[row][i];
            }

            weights[row] = 1f / Math.Max(Math.Max(1, targets[row].Length), positions[row] / positionsPerSymbol);
            if (rowWeights is { Count: > 0 })
            {
                weights[row] *= (float)rowWeights[row];
            }
        }

        var each = nn.functional.ctc_loss(
            logProbabilities,
            tensor(padded, [targets.Count, longest], device: logProbabilities.device),
            tensor(Array.ConvertAll(positions.ToArray(), length => (long)length)),
            tensor(targets.Select(row => (long)row.Length).ToArray()),
            blank: 0,
            zero_infinity: true,
            reduction: nn.Reduction.None);
        return each.mul(tensor(weights, device: logProbabilities.device)).sum();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _weight.Dispose();
        _bias.Dispose();
    }
}
