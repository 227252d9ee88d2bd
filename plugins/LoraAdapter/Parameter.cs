namespace AsrPlatform.LoraAdapter;

/// <summary>A tensor of an adapter, float32, on the model's device; owned.</summary>
/// <param name="name">Its name in a PEFT model whose adapter is <c>default</c>.</param>
/// <param name="storedName">Its name in the file.</param>
/// <param name="value">The values; taken over.</param>
/// <param name="isTrainable">Whether gradients are recorded.</param>
/// <param name="decays">Whether weight decay applies.</param>
internal sealed class Parameter(string name, string storedName, Tensor value, bool isTrainable, bool decays) : IDisposable
{
    private Tensor? _converted;

    public string Name => name;

    public string StoredName => storedName;

    public Tensor Value => value;

    public bool IsTrainable => isTrainable;

    public bool Decays => decays;

    /// <summary>The values in the type of a computation; borrowed. Conversions of what training does not change are kept.</summary>
    public Tensor As(ScalarType type)
    {
        if (value.dtype == type)
        {
            return value;
        }

        if (isTrainable)
        {
            return value.to(type);
        }

        if (_converted?.dtype != type)
        {
            _converted?.Dispose();
            _converted = value.to(type).DetachFromDisposeScope();
        }

        return _converted;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _converted?.Dispose();
        value.Dispose();
    }
}
