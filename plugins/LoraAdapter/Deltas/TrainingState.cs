namespace AsrPlatform.LoraAdapter.Deltas;

/// <summary>What all deltas of an adapter share.</summary>
/// <param name="dropout">Probability of dropout.</param>
/// <param name="isTrainable">Whether their tensors change.</param>
internal sealed class TrainingState(double dropout, bool isTrainable)
{
    public bool IsTrainable => isTrainable;

    /// <summary>Whether the forward passes are those of training steps.</summary>
    public bool Training { get; set; }

    /// <summary>Whether dropout changes anything now.</summary>
    public bool Drops => Training && dropout > 0;

    /// <summary>Applies dropout where it is due.</summary>
    public Tensor Drop(Tensor values) => Drops ? nn.functional.dropout(values, dropout) : values;
}
