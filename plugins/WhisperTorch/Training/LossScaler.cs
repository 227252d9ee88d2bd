namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Scales losses so that gradients of float16 neither vanish nor overflow (Micikevicius et al. 2018, PyTorch's constants).</summary>
/// <remarks>Needs a card with float16 products; untested for want of one.</remarks>
internal sealed class LossScaler
{
    private const double Growth = 2;
    private const double Backoff = 0.5;
    private const int GrowthInterval = 2000;

    /// <summary>The factor of the next step's loss.</summary>
    public double Scale { get; set; } = 65536;

    /// <summary>Steps without overflow since the scale changed.</summary>
    public int GoodSteps { get; set; }

    /// <summary>Counts a step.</summary>
    /// <param name="finite">Whether all its gradients were finite.</param>
    public void Update(bool finite)
    {
        if (!finite)
        {
            Scale *= Backoff;
            GoodSteps = 0;
        }
        else if (++GoodSteps == GrowthInterval)
        {
            Scale *= Growth;
            GoodSteps = 0;
        }
    }
}
