namespace AsrPlatform.Whisper.Decoding.Rules;

/// <summary>Forbids tokens by masking their logits.</summary>
public static class TokenSuppression
{
    /// <summary>Sets the logits of the given tokens to negative infinity.</summary>
    /// <param name="logits"><c>[vocabulary]</c>; changed in place.</param>
    /// <param name="tokens">Token ids within the vocabulary.</param>
    public static void Apply(Span<float> logits, ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
        {
            logits[token] = float.NegativeInfinity;
        }
    }

    /// <summary>Keeps only the given tokens: every other logit becomes negative infinity.</summary>
    /// <param name="logits"><c>[vocabulary]</c>; changed in place.</param>
    /// <param name="allowed">Token ids in ascending order.</param>
    public static void KeepOnly(Span<float> logits, ReadOnlySpan<int> allowed)
    {
        var next = 0;
        foreach (var token in allowed)
        {
            logits[next..token].Fill(float.NegativeInfinity);
            next = token + 1;
        }

        logits[next..].Fill(float.NegativeInfinity);
    }
}
