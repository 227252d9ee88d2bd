namespace AsrPlatform.WhisperTorch.Training;

/// <summary>How <see cref="GradientPass"/> computes.</summary>
internal sealed record GradientPassOptions
{
    /// <summary>No gradients for the encoder, which then leaves no graph behind.</summary>
    public bool FreezeEncoder { get; init; }

    /// <summary>Keeps the input of each layer only, and computes the layer again when its gradients are due.</summary>
    public bool Checkpointing { get; init; }

    /// <summary>Share of the loss that is the mean over the vocabulary instead of the right token, 0…1.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Share of the loss that is CTC on the encoder, 0…1; above 0 with <see cref="CtcHead"/> only.</summary>
    public double CtcWeight { get; init; }

    /// <summary>Weight of the divergence of the adapted model from the base on rows that are replayed; above 0 with an active adapter only.</summary>
    public double KlWeight { get; init; }

    /// <summary>Element type of matrix products (<see cref="Model.ForwardMode.ProductType"/>).</summary>
    public ScalarType? ProductType { get; init; }
}

/// <summary>What the terms of a micro-batch are multiplied by, which is how gradient accumulation is normalised.</summary>
/// <param name="Token">For the loss of each token.</param>
/// <param name="Row">For the CTC loss of each row.</param>
/// <param name="Replay">For the divergence from the base at each token of a replayed row.</param>
internal readonly record struct LossFactors(double Token, double Row, double Replay = 0);
