using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Attention of the decoder over whole sequences, all tokens at once.</summary>
/// <param name="layers">The decoder's layers.</param>
/// <param name="states">The encoder's states, <c>[batch, position, width]</c>.</param>
/// <param name="heads">Heads of the decoder.</param>
/// <param name="length">Tokens of each row.</param>
/// <param name="mode">How to compute.</param>
/// <param name="beyond">What is added to the scores of positions, <c>[batch, 1, 1, position]</c>: −∞ beyond a row's last; null where all rows are as long as the tensor.</param>
internal sealed class SequenceContext(IReadOnlyList<DecoderLayer> layers, Tensor states, int heads, int length, ForwardMode mode, Tensor? beyond = null) : IDecoderContext
{
    private readonly int _batch = (int)states.shape[0];
    private readonly long _positions = states.shape[1];
    private readonly long _width = states.shape[2];

    /// <inheritdoc />
    public Tensor OverTarget(int layer, Tensor projected)
    {
        var parts = projected.view(_batch, length, 3, heads, _width / heads).permute(2, 0, 3, 1, 4).unbind(0); // 3 × [batch, head, token, head width]
        return Joined(Attention.OfSequences(parts[0], parts[1], parts[2], mode, isCausal: true));
    }

    /// <inheritdoc />
    public Tensor OverSource(int layer, Tensor queries)
    {
        var memory = layers[layer].SourceMemory.Forward(states.view(-1, _width), _batch, mode);
        var parts = memory.view(_batch, _positions, 2, heads, _width / heads).permute(2, 0, 3, 1, 4).unbind(0); // 2 × [batch, head, position, head width]
        var byHead = queries.view(_batch, length, heads, _width / heads).transpose(1, 2);
        return Joined(Attention.OfSequences(byHead, parts[0], parts[1], mode, mask: beyond));
    }

    // [batch, head, token, head width] → [batch·token, width]
    private Tensor Joined(Tensor byHead) => byHead.transpose(1, 2).reshape(_batch * length, _width);
}
