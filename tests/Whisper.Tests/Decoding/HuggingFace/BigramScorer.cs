using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

/// <summary>A model that only looks at the last token: the logits are that token's row of a table.</summary>
internal sealed class BigramScorer(float[][] table, int[] starts) : ITokenScorer
{
    private int _rows = starts.Length;

    public int VocabularySize => table.Length;

    public Span<float> Start() => Rows(starts);

    public Span<float> Next(ReadOnlySpan<int> parents, ReadOnlySpan<int> tokens)
    {
        foreach (var parent in parents)
        {
            Assert.InRange(parent, 0, _rows - 1);
        }

        return Rows(tokens);
    }

    private float[] Rows(ReadOnlySpan<int> tokens)
    {
        _rows = tokens.Length;
        var rows = new List<float>();
        foreach (var token in tokens)
        {
            rows.AddRange(table[token]);
        }

        return [.. rows];
    }
}
