using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The decoder's input and targets of a micro-batch, as tensors.</summary>
/// <param name="Length">Tokens of each row.</param>
/// <param name="Ids">Labels shifted right behind the start token, <c>[batch·token]</c>.</param>
/// <param name="Positions">The position of each, <c>[batch·token]</c>.</param>
/// <param name="IsPadding">Whether each is the padding token, <c>[batch·token, 1]</c> of bool; null if none is.</param>
/// <param name="Counting">Which have a target, <c>[target]</c>.</param>
/// <param name="Targets">The labels that count, <c>[target]</c>.</param>
/// <param name="TargetRows">The row of each target, ascending.</param>
internal sealed record DecoderTokens(int Length, Tensor Ids, Tensor Positions, Tensor? IsPadding, Tensor Counting, Tensor Targets, IReadOnlyList<int> TargetRows)
{
    public static DecoderTokens Of(MicroBatch batch, long start, long padding, Device device)
    {
        // Columns that are ignored in all rows change nothing.
        var length = 1;
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            if (batch.Labels[i] != TrainingBatch.Ignored)
            {
                length = Math.Max(length, (i % batch.LabelLength) + 1);
            }
        }

        var ids = new long[batch.Batch * length];
        var positions = new long[ids.Length];
        var isPadding = new bool[ids.Length];
        var counting = new List<long>();
        var targets = new List<long>();
        for (var i = 0; i < ids.Length; i++)
        {
            var (row, column) = Math.DivRem(i, length);
            var at = (row * batch.LabelLength) + column;
            ids[i] = column == 0 ? start : batch.Labels[at - 1] is var before and not TrainingBatch.Ignored ? before : padding;
            positions[i] = column;
            isPadding[i] = ids[i] == padding;
            if (batch.Labels[at] != TrainingBatch.Ignored)
            {
                counting.Add(i);
                targets.Add(batch.Labels[at]);
            }
        }

        return new DecoderTokens(
            length,
            tensor(ids, device: device),
            tensor(positions, device: device),
            Array.IndexOf(isPadding, true) >= 0 ? tensor(isPadding, [ids.Length, 1], device: device) : null,
            tensor(counting.ToArray(), device: device),
            tensor(targets.ToArray(), device: device),
            [.. counting.Select(at => (int)(at / length))]);
    }
}
