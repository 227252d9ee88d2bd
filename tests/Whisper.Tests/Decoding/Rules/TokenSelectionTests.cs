using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Tests.Decoding.Rules;

public sealed class TokenSelectionTests
{
    [Fact]
    public void Find_RandomLogits_GivesTheLargestInOrder()
    {
        var random = new Random(2);

        // Few distinct values, so that ties are common.
        var values = Enumerable.Range(0, 1500).Select(_ => (float)random.Next(-20, 20)).ToArray();
        values[17] = float.NegativeInfinity;
        var tokens = new int[60];

        TopTokens.Find(values, tokens);

        Assert.Equal(Enumerable.Range(0, values.Length).OrderByDescending(token => values[token]).Take(60), tokens);
    }

    [Fact]
    public void Find_AsManyAsThereAre_IncludesMaskedOnes()
    {
        var tokens = new int[3];

        TopTokens.Find([float.NegativeInfinity, 2, float.NegativeInfinity], tokens);

        Assert.Equal([1, 0, 2], tokens);
    }

    [Fact]
    public void Apply_SomeTokens_MasksJustThose()
    {
        float[] logits = [1, 2, 3, 4];

        TokenSuppression.Apply(logits, [0, 2]);

        Assert.Equal([float.NegativeInfinity, 2, float.NegativeInfinity, 4], logits);
    }

    [Fact]
    public void KeepOnly_SomeTokens_MasksTheRest()
    {
        float[] logits = [1, 2, 3, 4, 5];

        TokenSuppression.KeepOnly(logits, [1, 2]);

        Assert.Equal([float.NegativeInfinity, 2, 3, float.NegativeInfinity, float.NegativeInfinity], logits);
    }
}
