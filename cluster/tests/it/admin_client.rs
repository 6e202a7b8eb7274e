//! The admin client against a server in this process.

use cluster::Address;
use cluster::admin::proto::admin_server::{Admin as AdminService, AdminServer};
use cluster::admin::proto::{
    CheckpointRequest, CheckpointResponse, DigestRequest, DigestResponse, StatusRequest,
    StatusResponse, TransferLeaderRequest, TransferLeaderResponse,
};
use cluster::admin::{Admin, AdminError};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Answers with what it was asked.
struct Echo;

#[tonic::async_trait]
impl AdminService for Echo {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        assert!(request.metadata().contains_key("grpc-timeout"));
        Ok(Response::new(StatusResponse { node_id: 7, ..StatusResponse::default() }))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let leader = request.get_ref().to;
        let leader = leader.ok_or(Status::failed_precondition("not the leader"))?;
        Ok(Response::new(TransferLeaderResponse { leader }))
    }

    async fn digest(
        &self,
        request: Request<DigestRequest>,
    ) -> Result<Response<DigestResponse>, Status> {
        let slots = if request.get_ref().per_slot { vec![1; 16 * 16_384] } else { vec![] };
        let applied = request.get_ref().applied_min;
        Ok(Response::new(DigestResponse { applied, slots, ..DigestResponse::default() }))
    }

    async fn checkpoint(
        &self,
        _request: Request<CheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        Err(Status::deadline_exceeded("late"))
    }
}

fn bound() -> (TcpIncoming, Address) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap().to_string().parse().unwrap();
    (incoming, address)
}

#[tokio::test]
async fn answers_and_refusals_come_back() {
    let (incoming, address) = bound();
    let server = tonic::transport::Server::builder().add_service(AdminServer::new(Echo));
    tokio::spawn(server.serve_with_incoming(incoming));

    let mut admin = Admin::connect(&address).await.unwrap();
    assert_eq!(admin.status().await.unwrap().node_id, 7);
    assert_eq!(admin.transfer_leader(0, Some(3)).await, Ok(3));
    assert_eq!(
        admin.transfer_leader(0, None).await,
        Err(AdminError::Refused { address: address.clone(), why: "not the leader".into() })
    );
    // The largest answer passes gRPC's limit on messages.
    let digest = admin.digest(true, 9).await.unwrap();
    assert_eq!((digest.applied, digest.slots.len()), (9, 16 * 16_384));
    assert_eq!(
        admin.checkpoint().await,
        Err(AdminError::Unreachable { address, why: "no answer in time".into() })
    );
}

#[tokio::test]
async fn nobody_there_is_said_plainly() {
    let (incoming, address) = bound();
    drop(incoming);
    let error = Admin::connect(&address).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{address} is unreachable: ")), "{error}");
    assert!(error.contains("refused"), "{error}");
}
