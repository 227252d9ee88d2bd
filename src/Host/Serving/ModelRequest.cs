using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Host.Serving;

/// <summary>Which model to load, and how.</summary>
/// <param name="Backend">The backend's name; null: the best that can, see <see cref="BackendChoice"/>.</param>
/// <param name="Load">What to load and where to.</param>
/// <param name="AdapterDirectory">The adapter to use; null for none.</param>
internal sealed record ModelRequest(string? Backend, ModelLoadOptions Load, string? AdapterDirectory = null)
{
    /// <summary>Whether it is for live captions: of several backends the fastest comes first then, else the most exact.</summary>
    public bool IsLive { get; init; }
}
