namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>The parts that an object frees with itself, the newest first. Not safe for concurrent calls.</summary>
internal sealed class OwnedParts : IDisposable
{
    private readonly List<IDisposable> _parts = [];

    /// <summary>Takes a part over, and gives it back.</summary>
    public T Add<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        for (var i = _parts.Count - 1; i >= 0; i--)
        {
            _parts[i].Dispose();
        }

        _parts.Clear();
    }
}
