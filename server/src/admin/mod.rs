//! `ringfort admin`: the command's side and, in `service`, the node's.
//!
//! The command asks nodes and prints; it decides nothing that the nodes do not check themselves.
//! What is printed is computed by pure functions from the answers, so that it is tested without a
//! cluster.

mod digest;
mod ring;
mod service;
mod status;
mod survey;
mod table;

pub(crate) use service::databases;
pub(crate) use service::service;

use std::future::Future;

use cluster::Address;
use cluster::admin::Admin;

use crate::cli::{AdminArgs, AdminCommand};
use survey::Survey;

/// Where a node is looked for if nobody says where: the first of `ringfort up`, then a lone one.
const DEFAULT_NODES: [&str; 2] = ["127.0.0.1:17000", "127.0.0.1:16379"];

/// Runs one admin command; the error is a sentence for whoever typed it.
pub(crate) fn run(args: &AdminArgs) -> Result<(), String> {
    match args.command {
        AdminCommand::Ring { shards, to } => ring::print(shards, to, args.json),
        AdminCommand::Status => block_on(status(args)),
        AdminCommand::TransferLeader { shard, to } => block_on(transfer_leader(args, shard, to)),
        AdminCommand::Digest => block_on(digest::run(args)),
        AdminCommand::Checkpoint => block_on(checkpoint(args)),
    }
}

fn block_on(command: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(command)
}

async fn status(args: &AdminArgs) -> Result<(), String> {
    let report = status::report(&survey(args).await?);
    if args.json {
        print_json(&report);
    } else {
        print!("{}", status::render(&report));
    }
    match report.shards.iter().find(|shard| shard.leader.is_none()) {
        Some(shard) => Err(format!("shard {} has no leader", shard.id)),
        None => Ok(()),
    }
}

async fn transfer_leader(args: &AdminArgs, shard: u32, to: Option<u64>) -> Result<(), String> {
    let survey = survey(args).await?;
    let replicas = survey.shard(shard).ok_or_else(|| format!("there is no shard {shard}"))?;
    if let Some(to) = to
        && !replicas.iter().any(|replica| replica.node_id == to)
    {
        let ids: Vec<String> = replicas.iter().map(|r| r.node_id.to_string()).collect();
        let ids = ids.join(", ");
        return Err(format!("node {to} is no replica of shard {shard}, nodes {ids} are"));
    }
    let leader =
        survey.leader(shard).ok_or_else(|| format!("shard {shard} has no leader to ask"))?;
    let mut admin = Admin::connect(&leader.peer).await.map_err(|error| error.to_string())?;
    let new = admin.transfer_leader(shard, to).await.map_err(|error| error.to_string())?;
    if args.json {
        print_json(&serde_json::json!({ "shard": shard, "before": leader.node_id, "leader": new }));
    } else if new == leader.node_id {
        println!("node {new} leads shard {shard} already");
    } else {
        println!("node {new} leads shard {shard} in place of node {}", leader.node_id);
    }
    Ok(())
}

async fn checkpoint(args: &AdminArgs) -> Result<(), String> {
    let survey = survey(args).await?;
    let mut rows = Vec::new();
    let mut failed = None;
    for replica in survey.replicas() {
        let made = async { Admin::connect(&replica.peer).await?.checkpoint().await }.await;
        match &made {
            Ok(index) => rows.push((replica.node_id, Some(*index))),
            Err(error) => {
                rows.push((replica.node_id, None));
                failed = Some(format!("node {}: {error}", replica.node_id));
            }
        }
    }
    if args.json {
        let nodes = rows
            .iter()
            .map(|(node, index)| serde_json::json!({ "node": node, "checkpoint": index }));
        print_json(&nodes.collect::<Vec<_>>());
    } else {
        for (node, index) in rows.iter().filter_map(|(node, index)| Some((node, (*index)?))) {
            println!("node {node}: checkpoint at {index}");
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Asks the named node, or one in a usual place, and then every node it knows.
async fn survey(args: &AdminArgs) -> Result<Survey, String> {
    let named = args.node.as_ref();
    let candidates: Vec<Address> = match named {
        Some(node) => vec![node.clone()],
        None => DEFAULT_NODES.iter().map(|n| n.parse().expect("are addresses")).collect(),
    };
    let mut troubles = Vec::new();
    for candidate in &candidates {
        match Survey::from(candidate).await {
            Ok(survey) => return Ok(survey),
            Err(error) => troubles.push(error.to_string()),
        }
    }
    let hint = if named.is_some() { "" } else { "; name a node's peer address with --node" };
    Err(format!("{}{hint}", troubles.join(", ")))
}

fn print_json(value: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(value).expect("our own types have string keys");
    println!("{text}");
}
