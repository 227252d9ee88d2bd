using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Serving;

/// <summary>Says what a session is decoded with.</summary>
internal interface ISessionAdapters
{
    /// <summary>The adapter of a session, which follows what is promoted where the session does not name one.</summary>
    /// <param name="adapter">An adapter's id; null or <c>active</c>: whatever is active for its speaker, tenant or everybody; <c>none</c>: the base model.</param>
    /// <param name="tenant">Whose session it is; null when that is not said.</param>
    /// <param name="speaker">Who speaks; null when that is not said.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>The session's; it disposes it.</returns>
    /// <exception cref="AsrException">There is no such adapter, or it cannot be loaded.</exception>
    Task<SessionAdapter> OpenAsync(string? adapter, string? tenant, string? speaker, CancellationToken cancellationToken);
}
