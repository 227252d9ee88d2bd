using System.Numerics.Tensors;

namespace AsrPlatform.Whisper.Decoding.Rules;

/// <summary>Finds the largest logits of a row.</summary>
public static class TopTokens
{
    private const int Block = 256;

    /// <summary>Finds the largest values, best first; of equal ones the lower id comes first.</summary>
    /// <param name="values"><c>[vocabulary]</c>.</param>
    /// <param name="tokens">Receives the ids; its length says how many are wanted, at most the vocabulary.</param>
    public static void Find(ReadOnlySpan<float> values, Span<int> tokens)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens.Length, values.Length, nameof(tokens));
        var found = 0;
        for (var start = 0; start < values.Length; start += Block)
        {
            var block = values.Slice(start, Math.Min(Block, values.Length - start));

            // Most blocks hold nothing better than what was found already.
            if (found == tokens.Length && !(TensorPrimitives.Max(block) > values[tokens[^1]]))
            {
                continue;
            }

            for (var i = 0; i < block.Length; i++)
            {
                if (found == tokens.Length && !(block[i] > values[tokens[^1]]))
                {
                    continue;
                }

                var place = found < tokens.Length ? found++ : found - 1;
                while (place > 0 && block[i] > values[tokens[place - 1]])
                {
                    tokens[place] = tokens[place - 1];
                    place--;
                }

                tokens[place] = start + i;
            }
        }
    }
}
